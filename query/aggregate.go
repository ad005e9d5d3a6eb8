package query

import (
	"context"
	"net/netip"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/heplake/heplake/query/filter"
	"github.com/heplake/heplake/schema"
)

// mediaMargin is how long after a call's last message a report about it may come.
const mediaMargin = 10 * time.Minute

// mediaSpan is the time in which reports and events of the call may be.
func (c *component) mediaSpan() window {
	w := c.span()
	return window{w.from.Add(-time.Minute), w.to.Add(mediaMargin)}
}

// aggregate computes the calls that components are, and returns those that
// match. params holds the values of plan.
func (s *Store) aggregate(ctx context.Context, c *cost, components []*component, plan filter.CallPlan, params filter.Params) ([]Call, error) {
	if len(components) == 0 {
		return nil, nil
	}
	p := params.Clone()
	var legs, keys, ids []string
	tenants := map[string]bool{}
	messages, reports := make([]window, len(components)), make([]window, len(components))
	for i, component := range components {
		key := component.key()
		for _, leg := range component.callIDs() {
			legs = append(legs, component.tenant+"\n"+leg)
			keys = append(keys, key)
		}
		ids = append(ids, component.ids()...)
		tenants[component.tenant] = true
		messages[i], reports[i] = component.span(), component.mediaSpan()
	}
	tenant := "tenant IN " + p.Add("Array(String)", setOf(tenants))
	list := p.Add("Array(String)", ids)
	q := schema.CallsQuery{
		SIP: "(SELECT * FROM " + s.table("sip") + " WHERE " + merge(messages).condition(p) + " AND " + tenant + " AND correlation_id IN " + list + ")",
		Media: "(SELECT * FROM " + s.table("media") + " WHERE " + merge(reports).condition(p) +
			" AND " + tenant + " AND (correlation_id IN " + list + " OR call_id IN " + list + "))",
		Key:     "transform(concat(tenant, '\\n', call_id), " + p.Add("Array(String)", legs) + ", " + p.Add("Array(String)", keys) + ", '')",
		Matches: plan.Messages,
	}
	sql := "SELECT " + strings.Join(callColumns, ", ") + "\nFROM (" + q.SQL() + ")\nWHERE correlation_id != '' AND " + plan.Match
	out := make([]Call, 0, len(components))
	err := s.query(ctx, c, sql, p.Args(), func(rows driver.Rows) error {
		call, err := scanCall(rows)
		if err == nil {
			out = append(out, call)
		}
		return err
	})
	return out, err
}

func setOf(m map[string]bool) []string {
	out := make([]string, 0, len(m))
	for v := range m {
		out = append(out, v)
	}
	return out
}

// callColumns are the columns of the view calls in the order in which scanCall
// takes them.
var callColumns = func() []string {
	out := make([]string, len(schema.Calls.Columns))
	for i, c := range schema.Calls.Columns {
		out[i] = "`" + c.Name + "`"
	}
	return out
}()

func scanCall(rows driver.Rows) (Call, error) {
	var c Call
	err := rows.Scan(&c.Tenant, &c.CorrelationID, &c.CallIDs, &c.Method, &c.Start, &c.Ring, &c.Answer, &c.End, &c.LastSeen,
		&c.PDDMs, &c.SRDMs, &c.RingMs, &c.DurationS, &c.SDDMs,
		(*string)(&c.Outcome), &c.FinalStatus, &c.FinalReason, &c.Q850, &c.ReleasedBy,
		&c.FromUser, &c.FromDomain, &c.ToUser, &c.ToDomain, &c.RURIUser, &c.SrcIP, &c.SrcPort, &c.DstIP, &c.DstPort,
		&c.UserAgents, &c.Codecs, &c.Nodes, &c.Messages, &c.Retransmissions, &c.Hops,
		&c.MOSMin, &c.MOSAvg, &c.LossPercent, &c.JitterMs)
	c.SrcIP, c.DstIP = unmap(c.SrcIP), unmap(c.DstIP)
	return c, err
}

// unmap is an address as people write it: the tables hold IPv4 mapped into
// IPv6, and :: where there is none.
func unmap(a netip.Addr) netip.Addr {
	if a = a.Unmap(); a.IsUnspecified() && a.Is6() {
		return netip.Addr{}
	}
	return a
}
