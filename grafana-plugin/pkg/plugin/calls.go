package plugin

import (
	"context"
	"encoding/json"
	"net/netip"
	"slices"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/data"

	"github.com/heplake/heplake/query"
	"github.com/heplake/heplake/schema"
)

// calls answers with one frame, a row for each call.
func (d *Datasource) calls(ctx context.Context, l *lake, q question) (data.Frames, error) {
	result, err := l.Calls(ctx, query.CallsRequest{
		Filter: q.Filter, From: q.TimeRange.From, To: q.TimeRange.To, Limit: q.Limit, Tenant: q.Tenant,
	})
	if err != nil {
		return nil, err
	}
	f := d.callsFrame(result.Calls, d.aliases.names(ctx), time.Now())
	if result.Truncated {
		notice(f, data.NoticeSeverityInfo, "These are the newest %d calls; there are more in the time range.", len(result.Calls))
	}
	f.Meta.Stats = []data.QueryStat{
		{FieldConfig: data.FieldConfig{DisplayName: "Rows read"}, Value: float64(result.ScannedRows)},
		{FieldConfig: data.FieldConfig{DisplayName: "Bytes read", Unit: "bytes"}, Value: float64(result.ScannedBytes)},
	}
	return data.Frames{f}, nil
}

// callColumn makes one field of the calls frame.
type callColumn struct {
	name, unit string
	field      func(calls []query.Call) *data.Field
}

// column makes a callColumn whose values get takes from each call.
func column[T any](name, unit string, get func(*query.Call) T) callColumn {
	return callColumn{name, unit, func(calls []query.Call) *data.Field {
		values := make([]T, len(calls))
		for i := range calls {
			values[i] = get(&calls[i])
		}
		return data.NewField(name, nil, values)
	}}
}

// callColumns are the fields of the calls frame in order: what identifies a
// call and how it went, then the rest. Their names are those of the view calls
// and of the filter language; call_id is the first leg's.
var callColumns = []callColumn{
	column("start", "", func(c *query.Call) time.Time { return c.Start }),
	column("call_id", "", callID),
	column("method", "", func(c *query.Call) string { return text(c.Method) }),
	column("outcome", "", func(c *query.Call) string { return string(c.Outcome) }),
	column("final_status", "", func(c *query.Call) int64 { return int64(c.FinalStatus) }),
	column("final_reason", "", func(c *query.Call) string { return text(c.FinalReason) }),
	column("from_user", "", func(c *query.Call) string { return text(c.FromUser) }),
	column("to_user", "", func(c *query.Call) string { return text(c.ToUser) }),
	column("ruri_user", "", func(c *query.Call) string { return text(c.RURIUser) }),
	column("duration_s", "s", func(c *query.Call) *float64 { return c.DurationS }),
	column("pdd_ms", "ms", func(c *query.Call) *float64 { return c.PDDMs }),
	column("ring_ms", "ms", func(c *query.Call) *float64 { return c.RingMs }),
	column("mos_min", "", func(c *query.Call) *float64 { return c.MOSMin }),
	column("mos_avg", "", func(c *query.Call) *float64 { return c.MOSAvg }),
	column("loss_percent", "percent", func(c *query.Call) *float64 { return c.LossPercent }),
	column("jitter_ms", "ms", func(c *query.Call) *float64 { return c.JitterMs }),
	column("messages", "", func(c *query.Call) int64 { return int64(c.Messages) }),
	column("retransmissions", "", func(c *query.Call) int64 { return int64(c.Retransmissions) }),
	column("hops", "", func(c *query.Call) int64 { return int64(c.Hops) }),
	column("released_by", "", func(c *query.Call) string { return c.ReleasedBy }),
	column("q850", "", func(c *query.Call) int64 { return int64(c.Q850) }),
	column("src_ip", "", func(c *query.Call) string { return address(c.SrcIP) }),
	column("src_port", "", func(c *query.Call) int64 { return int64(c.SrcPort) }),
	column("dst_ip", "", func(c *query.Call) string { return address(c.DstIP) }),
	column("dst_port", "", func(c *query.Call) int64 { return int64(c.DstPort) }),
	column("from_domain", "", func(c *query.Call) string { return text(c.FromDomain) }),
	column("to_domain", "", func(c *query.Call) string { return text(c.ToDomain) }),
	column("srd_ms", "ms", func(c *query.Call) *float64 { return c.SRDMs }),
	column("sdd_ms", "ms", func(c *query.Call) *float64 { return c.SDDMs }),
	column("ring", "", func(c *query.Call) *time.Time { return c.Ring }),
	column("answer", "", func(c *query.Call) *time.Time { return c.Answer }),
	column("end", "", func(c *query.Call) *time.Time { return c.End }),
	column("last_seen", "", func(c *query.Call) time.Time { return c.LastSeen }),
	column("user_agents", "", func(c *query.Call) string { return list(c.UserAgents) }),
	column("codecs", "", func(c *query.Call) string { return list(c.Codecs) }),
	column("nodes", "", func(c *query.Call) string { return list(c.Nodes) }),
	column("call_ids", "", func(c *query.Call) string { return list(c.CallIDs) }),
	column("correlation_id", "", func(c *query.Call) string { return text(c.CorrelationID) }),
	column("tenant", "", func(c *query.Call) string { return text(c.Tenant) }),
}

// aliasColumns are what aliases call the sender and the receiver of a call's
// first message, "" where they do not.
func aliasColumns(aliases []query.Alias) []callColumn {
	name := func(ip netip.Addr, port uint16) string { return text(query.AliasOf(aliases, ip.Unmap(), port)) }
	return []callColumn{
		column("src_alias", "", func(c *query.Call) string { return name(c.SrcIP, c.SrcPort) }),
		column("dst_alias", "", func(c *query.Call) string { return name(c.DstIP, c.DstPort) }),
	}
}

// callsFrame is the table of calls, with the names of addresses.
func (d *Datasource) callsFrame(calls []query.Call, aliases []query.Alias, now time.Time) *data.Frame {
	f := data.NewFrame("calls")
	for _, c := range append(slices.Clip(callColumns), aliasColumns(aliases)...) {
		field := c.field(calls)
		field.Config = &data.FieldConfig{Unit: c.unit}
		if doc, ok := callDoc(c.name); ok {
			field.Config.Description = doc
		}
		if c.name == "call_id" {
			field.Config.Links = d.callLinks()
		}
		f.Fields = append(f.Fields, field)
	}
	from, to, ids := make([]int64, len(calls)), make([]int64, len(calls)), make([]string, len(calls))
	for i, c := range calls {
		a, b := linkRange(c, now)
		from[i], to[i], ids[i] = a.UnixMilli(), b.UnixMilli(), escapeID(callID(&c))
	}
	for _, field := range []*data.Field{data.NewField(linkFrom, nil, from), data.NewField(linkTo, nil, to), data.NewField(linkID, nil, ids)} {
		field.Config = &data.FieldConfig{Custom: hidden}
		f.Fields = append(f.Fields, field)
	}
	f.Meta = &data.FrameMeta{Type: data.FrameTypeTable, TypeVersion: typeVersion, PreferredVisualization: data.VisTypeTable}
	return f
}

// callDoc is what the schema says about a column of calls.
func callDoc(name string) (string, bool) {
	switch name {
	case "call_id":
		return "Call-ID of the first leg.", true
	case "src_alias":
		return "What the data source's settings call src_ip.", true
	case "dst_alias":
		return "What the data source's settings call dst_ip.", true
	}
	for _, c := range schema.Calls.Columns {
		if c.Name == name {
			return c.Doc, true
		}
	}
	return "", false
}

// callID is the id to open a call by.
func callID(c *query.Call) string {
	if len(c.CallIDs) > 0 {
		return text(c.CallIDs[0])
	}
	return text(c.CorrelationID)
}

// address is an IP as people write it, "" where there is none.
func address(a netip.Addr) string {
	if !a.IsValid() || a.IsUnspecified() {
		return ""
	}
	return a.Unmap().String()
}

// list is a list as JSON: it can hold commas.
func list(values []string) string {
	if len(values) == 0 {
		return "[]"
	}
	clean := make([]string, len(values))
	for i, v := range values {
		clean[i] = text(v)
	}
	b, err := json.Marshal(clean)
	if err != nil {
		return "[]" // strings always marshal
	}
	return string(b)
}

// plainIP is an address that ClickHouse wrote, as people write it.
func plainIP(s string) string {
	a, err := netip.ParseAddr(s)
	if err != nil {
		return ""
	}
	return address(a)
}
