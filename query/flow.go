package query

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"golang.org/x/sync/errgroup"

	"github.com/heplake/heplake/query/filter"
)

// The bounds of FlowRequest.MaxMessages.
const (
	DefaultFlowMessages = 5_000
	MaxFlowMessages     = 50_000
)

// maxFlowLinks bounds how many pairs of Call-ID and correlation id a flow has.
// A real call has a handful; an agent that gives every call the same correlation
// id would otherwise make one flow of them all.
const maxFlowLinks = 500

// FlowRequest asks for a call's ladder.
type FlowRequest struct {
	// ID is a Call-ID of any leg, or a correlation id.
	ID string `json:"id"`
	// From and To say where to look, if known: the call is looked for there and up
	// to a day around, and is whole all the same. Zero is everywhere.
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	// MaxMessages is how many SIP messages to return at most, the first ones:
	// DefaultFlowMessages when 0, MaxFlowMessages at most. It bounds media and
	// event rows likewise, each for itself.
	MaxMessages int `json:"max_messages"`
	// Media and Events add quality reports and log records to the ladder.
	Media  bool `json:"media"`
	Events bool `json:"events"`
	// Tenant restricts the search to one tenant's traffic; empty is all.
	Tenant string `json:"tenant"`
}

// Flow returns the ladder of the call that has the id: the messages of every
// leg that Call-IDs and correlation ids connect, in order. Asking by any leg
// gives the same ladder, but for Leg.LinkedBy. Where several tenants have the
// id, it is the ladder of the one that used it last.
//
// The error wraps ErrNotFound when no SIP message has the id, else
// ErrTooExpensive, ErrUnavailable or ErrInvalid.
func (s *Store) Flow(ctx context.Context, r FlowRequest) (*Flow, error) {
	if r.MaxMessages < 0 || r.MaxMessages > MaxFlowMessages {
		return nil, fmt.Errorf("%w: max_messages %d is not between 0 and %d", ErrInvalid, r.MaxMessages, MaxFlowMessages)
	}
	if r.MaxMessages == 0 {
		r.MaxMessages = DefaultFlowMessages
	}
	found, whole, err := s.find(ctx, r.ID, r.From, r.To, r.Tenant)
	if err != nil {
		return nil, fmt.Errorf("flow of %q: %w", r.ID, err)
	}
	if found == nil {
		return nil, fmt.Errorf("flow of %q: %w", r.ID, ErrNotFound)
	}
	b := newFlowBuilder(found, r.ID, s.aliasesNow(ctx))
	if !whole {
		b.truncated("legs: more Call-IDs are connected than a flow holds")
	}
	group, inner := errgroup.WithContext(ctx)
	var calls []Call
	group.Go(func() (err error) {
		calls, err = s.aggregate(inner, nil, []*component{found}, filter.CallPlan{Match: "1"}, filter.Params{})
		return err
	})
	group.Go(func() error { return s.fill(inner, b, r) })
	if err := group.Wait(); err != nil {
		return nil, fmt.Errorf("flow of %q: %w", r.ID, err)
	}
	flow := b.flow()
	if len(calls) > 0 {
		s.nameTrunks(ctx, calls[:1])
		flow.Call = calls[0]
		flow.setReasons()
	}
	flow.Analyse()
	return flow, nil
}

// find finds the call that has the id; nil when none has. Where several tenants
// have it, it is the one whose last message is the newest.
func (s *Store) find(ctx context.Context, id string, from, to time.Time, tenant string) (found *component, whole bool, err error) {
	if id == "" {
		return nil, true, nil
	}
	near, err := nearOf(from, to)
	if err != nil {
		return nil, false, err
	}
	components, whole, err := s.closure(ctx, nil, closureRequest{ids: []string{id}, tenant: tenant, near: near, maxLinks: maxFlowLinks})
	if err == nil && len(components) == 0 && near != nil {
		// The window may hold other legs of the call alone.
		near[0] = window{near[0].from.Add(-farMargin), near[0].to.Add(farMargin)}
		components, whole, err = s.closure(ctx, nil, closureRequest{ids: []string{id}, tenant: tenant, near: near, maxLinks: maxFlowLinks})
	}
	if err != nil {
		return nil, false, err
	}
	for _, c := range components {
		if found == nil || c.span().to.After(found.span().to) {
			found = c
		}
	}
	return found, whole, nil
}

// nearOf is where a request for one call says to look; nil is everywhere.
func nearOf(from, to time.Time) (windows, error) {
	if from.IsZero() && to.IsZero() {
		return nil, nil
	}
	w, err := windowOf(from, to, 24*time.Hour)
	return windows{{w.from.Add(-nearBefore), w.to.Add(nearAfter)}}, err
}

// setReasons says of each leg what the call's row says of it.
func (f *Flow) setReasons() {
	for i := range f.Legs {
		l := &f.Legs[i]
		if at := slices.Index(f.Call.CallIDs, l.CallID); at >= 0 && at < len(f.Call.LegReasons) && at < len(f.Call.LegConfidences) {
			l.Reason, l.Confidence = f.Call.LegReasons[at], f.Call.LegConfidences[at]
		}
	}
}

// fill reads the flow's records: messages, and what else is asked for.
func (s *Store) fill(ctx context.Context, b *flowBuilder, r FlowRequest) error {
	reads := []func(context.Context, *flowBuilder, int) error{s.readMessages}
	if r.Media {
		reads = append(reads, s.readReports)
	}
	if r.Events {
		reads = append(reads, s.readEvents)
	}
	parts := make([]*flowBuilder, len(reads))
	group, ctx := errgroup.WithContext(s.light(ctx))
	for i, read := range reads {
		parts[i] = newFlowBuilder(b.component, b.asked, b.aliases)
		group.Go(func() error { return read(ctx, parts[i], r.MaxMessages) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for _, part := range parts {
		b.sip += part.sip
		b.messages = append(b.messages, part.messages...)
		b.reasons = append(b.reasons, part.reasons...)
	}
	return nil
}

// rowsOf is the condition for rows that belong to the call, within a window.
func rowsOf(c *component, w window, p *filter.Params, columns ...string) string {
	ids := p.Add("Array(String)", c.ids())
	where := w.condition(p) + " AND tenant = " + p.Add("String", c.tenant) + " AND ("
	for i, column := range columns {
		if i > 0 {
			where += " OR "
		}
		where += column + " IN " + ids
	}
	return where + ")"
}

func (s *Store) readMessages(ctx context.Context, b *flowBuilder, limit int) error {
	var p filter.Params
	// Every message's correlation id is known from the closure.
	sql := `SELECT ` + messageID + `, time, node, capture_id, call_id, src_ip, src_port, dst_ip, dst_port, transport, method, status, reason,
    cseq, cseq_method, from_user, from_domain, from_tag, to_user, to_domain, to_tag, ruri_user, ruri_domain, user_agent, server, via_branch, sdp, parse_error, raw
FROM ` + s.table("sip") + ` WHERE ` + rowsOf(b.component, b.component.span(), &p, "correlation_id") + `
ORDER BY time, via_branch, status LIMIT ` + p.Add("UInt64", uint64(limit+1))
	return s.query(ctx, nil, sql, p.Args(), func(rows driver.Rows) error {
		var m message
		err := rows.Scan(&m.ID, &m.Time, &m.Node, &m.CaptureID, &m.CallID, &m.src.ip, &m.src.port, &m.dst.ip, &m.dst.port, &m.Transport,
			&m.Method, &m.Status, &m.Reason, &m.CSeq, &m.CSeqMethod, &m.FromUser, &m.FromDomain, &m.FromTag, &m.ToUser, &m.ToDomain, &m.ToTag,
			&m.RURIUser, &m.RURIDomain, &m.UserAgent, &m.server, &m.branch, &m.SDP, &m.ParseError, &m.Raw)
		if err != nil {
			return err
		}
		if b.sip == limit {
			b.truncated(fmt.Sprintf("messages: only the first %d are shown", limit))
			return nil
		}
		b.sip++
		m.Kind, m.Label = KindSIP, sipLabel(&m.Item)
		b.add(m)
		return nil
	})
}

func (s *Store) readReports(ctx context.Context, b *flowBuilder, limit int) error {
	var p filter.Params
	sql := `SELECT time, node, capture_id, call_id, correlation_id, src_ip, src_port, dst_ip, dst_port, transport,
    source, report, ssrc, toBool(` + isReception + `), fraction_lost, jitter_ms, rtt_ms, mos, packets, raw
FROM ` + s.table("media") + ` WHERE ` + rowsOf(b.component, b.component.mediaSpan(), &p, "correlation_id", "call_id") + `
ORDER BY time, ssrc LIMIT ` + p.Add("UInt64", uint64(limit+1))
	n := 0
	return s.query(ctx, nil, sql, p.Args(), func(rows driver.Rows) error {
		var m message
		var correlationID, source, report string
		var ssrc uint32
		var reception bool
		var fractionLost, jitter, rtt, mos float32
		var packets uint64
		err := rows.Scan(&m.Time, &m.Node, &m.CaptureID, &m.CallID, &correlationID, &m.src.ip, &m.src.port, &m.dst.ip, &m.dst.port, &m.Transport,
			&source, &report, &ssrc, &reception, &fractionLost, &jitter, &rtt, &mos, &packets, &m.Raw)
		if err != nil {
			return err
		}
		if n++; n > limit {
			b.truncated(fmt.Sprintf("media: only the first %d reports are shown", limit))
			return nil
		}
		if m.CallID == "" {
			m.CallID = correlationID
		}
		m.Media = &MediaReport{
			Source: source, Report: report, SSRC: ssrc, Reception: reception, FractionLost: float64(fractionLost),
			JitterMs: float64(jitter), RTTMs: float64(rtt), MOS: float64(mos), Packets: packets,
		}
		m.Kind, m.Label = KindMedia, reportLabel(source, report, reception, fractionLost, jitter, rtt, mos)
		b.add(m)
		return nil
	})
}

func (s *Store) readEvents(ctx context.Context, b *flowBuilder, limit int) error {
	var p filter.Params
	sql := `SELECT time, node, capture_id, call_id, correlation_id, src_ip, src_port, dst_ip, dst_port, transport, type_name, error, body
FROM ` + s.table("events") + ` WHERE ` + rowsOf(b.component, b.component.mediaSpan(), &p, "correlation_id", "call_id") + `
ORDER BY time LIMIT ` + p.Add("UInt64", uint64(limit+1))
	n := 0
	return s.query(ctx, nil, sql, p.Args(), func(rows driver.Rows) error {
		var m message
		var correlationID, typeName string
		err := rows.Scan(&m.Time, &m.Node, &m.CaptureID, &m.CallID, &correlationID, &m.src.ip, &m.src.port, &m.dst.ip, &m.dst.port, &m.Transport,
			&typeName, &m.ParseError, &m.Raw)
		if err != nil {
			return err
		}
		if n++; n > limit {
			b.truncated(fmt.Sprintf("events: only the first %d are shown", limit))
			return nil
		}
		if m.CallID == "" {
			m.CallID = correlationID
		}
		m.Kind, m.Label = KindEvent, eventLabel(typeName, m.Raw)
		b.add(m)
		return nil
	})
}
