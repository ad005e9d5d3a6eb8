package plugin

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/data"

	"github.com/heplake/heplake/query"
)

// ladderPanel draws flow frames; Explore picks it by this id.
const ladderPanel = "heplake-ladder-panel"

// flow answers with one frame, a row for each item of the ladder.
//
// The call is looked for in the time range first, and everywhere when it is not
// there: who has a Call-ID wants that call, whenever it was. A call that is
// nowhere is no error but an empty frame with a notice, so that the panel says
// so in its own words.
func (d *Datasource) flow(ctx context.Context, l *lake, q question) (data.Frames, error) {
	if q.CallID == "" {
		return nil, badQueryf("the query names no Call-ID")
	}
	request := query.FlowRequest{
		ID: q.CallID, From: q.TimeRange.From, To: q.TimeRange.To, MaxMessages: q.Limit,
		Media: true, Events: true, Tenant: q.Tenant,
	}
	flow, err := l.Flow(ctx, request)
	elsewhere := errors.Is(err, query.ErrNotFound)
	if elsewhere {
		request.From, request.To = time.Time{}, time.Time{}
		flow, err = l.Flow(ctx, request)
	}
	switch {
	case errors.Is(err, query.ErrNotFound):
		f := flowFrame(&query.Flow{})
		f.Meta.Custom = nil
		notice(f, data.NoticeSeverityInfo, "No message has the Call-ID or correlation id %s.", text(q.CallID))
		return data.Frames{f}, nil
	case err != nil:
		return nil, err
	}
	f := flowFrame(flow)
	if elsewhere {
		notice(f, data.NoticeSeverityInfo, "This call is outside the time range: it began at %s.", flow.Call.Start.UTC().Format("2006-01-02 15:04:05 UTC"))
	}
	if flow.Truncated != "" {
		notice(f, data.NoticeSeverityWarning, "The call is longer than what is shown: %s.", flow.Truncated)
	}
	return data.Frames{f}, nil
}

// flowMeta is what the ladder shows beside the rows. Findings name rows, and
// participants, by their place.
type flowMeta struct {
	Call         query.Call          `json:"call"`
	Legs         []query.Leg         `json:"legs"`
	Participants []query.Participant `json:"participants"`
	Findings     []query.Finding     `json:"findings"`
	Clocks       []query.Clock       `json:"clocks"`
	Truncated    string              `json:"truncated"`
}

// flowFrame is a flow as the ladder panel takes it, one row for each item.
func flowFrame(flow *query.Flow) *data.Frame {
	n := len(flow.Items)
	f := data.NewFrame("flow")
	add := func(name string, values any) { f.Fields = append(f.Fields, data.NewField(name, nil, values)) }
	texts := func(get func(*query.Item) string) []string {
		values := make([]string, n)
		for i := range flow.Items {
			values[i] = text(get(&flow.Items[i]))
		}
		return values
	}
	numbers := func(get func(*query.Item) int64) []int64 {
		values := make([]int64, n)
		for i := range flow.Items {
			values[i] = get(&flow.Items[i])
		}
		return values
	}
	flags := func(get func(*query.Item) bool) []bool {
		values := make([]bool, n)
		for i := range flow.Items {
			values[i] = get(&flow.Items[i])
		}
		return values
	}
	waits := func(get func(*query.Item) *int64) []*int64 {
		values := make([]*int64, n)
		for i := range flow.Items {
			values[i] = get(&flow.Items[i])
		}
		return values
	}
	end := func(at int) query.Participant {
		if at < 0 || at >= len(flow.Participants) {
			return query.Participant{}
		}
		return flow.Participants[at]
	}

	times := make([]time.Time, n)
	for i := range flow.Items {
		times[i] = flow.Items[i].Time
	}
	add("time", times)
	add("src", texts(func(i *query.Item) string { return end(i.Src).Address }))
	add("dst", texts(func(i *query.Item) string { return end(i.Dst).Address }))
	add("src_name", texts(func(i *query.Item) string { return end(i.Src).Name }))
	add("dst_name", texts(func(i *query.Item) string { return end(i.Dst).Name }))
	add("leg", numbers(func(i *query.Item) int64 { return int64(i.Leg) }))
	add("call_id", texts(func(i *query.Item) string { return i.CallID }))
	add("kind", texts(func(i *query.Item) string { return string(i.Kind) }))
	add("method", texts(func(i *query.Item) string { return i.Method }))
	add("status", numbers(func(i *query.Item) int64 { return int64(i.Status) }))
	add("reason", texts(func(i *query.Item) string { return i.Reason }))
	add("cseq", numbers(func(i *query.Item) int64 { return int64(i.CSeq) }))
	add("cseq_method", texts(func(i *query.Item) string { return i.CSeqMethod }))
	add("label", texts(func(i *query.Item) string { return i.Label }))
	add("sdp", texts(func(i *query.Item) string { return i.SDP }))
	add("retransmission", flags(func(i *query.Item) bool { return i.Retransmission }))
	add("copy", flags(func(i *query.Item) bool { return i.Copy }))
	add("offset_us", numbers(func(i *query.Item) int64 { return i.OffsetUs }))
	add("delta_us", numbers(func(i *query.Item) int64 { return i.DeltaUs }))
	add("transport", texts(func(i *query.Item) string { return i.Transport }))
	add("node", texts(func(i *query.Item) string { return i.Node }))
	add("parse_error", texts(func(i *query.Item) string { return i.ParseError }))
	add("raw", texts(func(i *query.Item) string { return i.Raw }))
	// Who is meant by src and dst, as the settings call them.
	add("src_alias", texts(func(i *query.Item) string { return end(i.Src).Alias }))
	add("dst_alias", texts(func(i *query.Item) string { return end(i.Dst).Alias }))
	// The addresses on the wire, which are not always those of the columns.
	add("src_addr", texts(func(i *query.Item) string { return addrPort(i.SrcAddr) }))
	add("dst_addr", texts(func(i *query.Item) string { return addrPort(i.DstAddr) }))
	add("capture_id", numbers(func(i *query.Item) int64 { return int64(i.CaptureID) }))
	add("relay_us", waits(func(i *query.Item) *int64 { return i.RelayUs }))
	add("response_us", waits(func(i *query.Item) *int64 { return i.ResponseUs }))

	f.Meta = &data.FrameMeta{
		Type: data.FrameTypeTable, TypeVersion: typeVersion,
		PreferredVisualizationPluginID: ladderPanel,
		Custom: flowMeta{
			Call: flow.Call, Legs: flow.Legs, Participants: flow.Participants, Findings: flow.Findings, Clocks: flow.Clocks, Truncated: flow.Truncated,
		},
	}
	return f
}

// addrPort is an address as Participant.Address writes it, "" where there is none.
func addrPort(a netip.AddrPort) string {
	if !a.Addr().IsValid() {
		return ""
	}
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()).String()
}
