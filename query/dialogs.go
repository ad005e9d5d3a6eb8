package query

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"golang.org/x/sync/errgroup"

	"github.com/heplake/heplake/query/filter"
	"github.com/heplake/heplake/schema"
)

// Dialogs of other methods than a call's (REGISTER, OPTIONS, SUBSCRIBE, …) are
// computed here of their messages where nothing is asked of them. A list of calls
// has a few of them, and ClickHouse takes longer to plan the statement for calls
// (schema.CallsQuery) than to answer the rest of the search. Both say the same.

// dialogColumns are the columns that scanDialogMessage takes.
var dialogColumns = "tenant, call_id, time, method, status, reason, cseq, cseq_method, via_branch, from_tag, to_tag, from_user, from_domain, to_user, to_domain, " +
	"ruri_user, src_ip, src_port, dst_ip, dst_port, sdp, node, capture_id, user_agent, server, q850, toBool(cseq_method != '' AND " + schema.OtherMethodsSQL + ")"

// dialogMessage is a message as far as a dialog's row is made of it.
type dialogMessage struct {
	node
	at                                 time.Time
	method, reason, cseqMethod, branch string
	status, q850                       uint16
	cseq, captureID                    uint32
	fromTag, toTag                     string
	parties                            parties
	ruriUser                           string
	src, dst                           netip.AddrPort
	sdp, agent, userAgent, server      string
	// other: it is of a method that makes no calls.
	other bool
}

// parties are who From and To name.
type parties struct{ fromUser, fromDomain, toUser, toDomain string }

func scanDialogMessage(rows driver.Rows) (dialogMessage, error) {
	var m dialogMessage
	var srcIP, dstIP netip.Addr
	var srcPort, dstPort uint16
	err := rows.Scan(&m.tenant, &m.id, &m.at, &m.method, &m.status, &m.reason, &m.cseq, &m.cseqMethod, &m.branch, &m.fromTag, &m.toTag,
		&m.parties.fromUser, &m.parties.fromDomain, &m.parties.toUser, &m.parties.toDomain,
		&m.ruriUser, &srcIP, &srcPort, &dstIP, &dstPort, &m.sdp, &m.agent, &m.captureID, &m.userAgent, &m.server, &m.q850, &m.other)
	m.src, m.dst = netip.AddrPortFrom(srcIP, srcPort), netip.AddrPortFrom(dstIP, dstPort)
	return m, err
}

// dialogs computes those of the components that are one leg of nothing but other
// methods, without reports. rest are the others.
func (s *Store) dialogs(ctx context.Context, c *cost, components []*component) (calls []Call, rest []*component, err error) {
	single := map[node]*component{}
	var ids []string
	var messages, reports []window
	tenants := map[string]bool{}
	for _, component := range components {
		legs := component.callIDs()
		if len(legs) != 1 || legs[0] == "" || component.signs()&^opens != 0 {
			continue
		}
		single[node{component.tenant, legs[0]}] = component
		ids = append(ids, component.ids()...)
		tenants[component.tenant] = true
		messages, reports = append(messages, component.span()), append(reports, component.mediaSpan())
	}
	if len(single) == 0 {
		return nil, components, nil
	}
	byLeg, reported, err := s.dialogMessages(ctx, c, tenants, func(p *filter.Params) string {
		return merge(messages).condition(p) + " AND correlation_id IN " + p.Add("Array(String)", ids)
	}, func(p *filter.Params) string {
		list := p.Add("Array(String)", ids)
		return merge(reports).condition(p) + " AND (correlation_id IN " + list + " OR call_id IN " + list + ")"
	})
	if err != nil {
		return nil, nil, err
	}
	for _, component := range components {
		var n node
		if legs := component.callIDs(); len(legs) == 1 {
			n = node{component.tenant, legs[0]}
		}
		all := byLeg[n]
		if single[n] != component || reported[n] || !areOther(all) {
			rest = append(rest, component)
			continue
		}
		calls = append(calls, dialogOf(component.key(), all))
	}
	return calls, rest, nil
}

// areOther reports whether these are messages of methods that make no calls.
func areOther(all []dialogMessage) bool {
	return len(all) > 0 && !slices.ContainsFunc(all, func(m dialogMessage) bool { return !m.other })
}

// dialogMessages reads the messages that meet a condition, by leg, and which legs
// there are reports of that meet the other.
func (s *Store) dialogMessages(ctx context.Context, c *cost, tenants map[string]bool, messages, reports func(*filter.Params) string) (byLeg map[node][]dialogMessage, reported map[node]bool, err error) {
	byLeg, reported = map[node][]dialogMessage{}, map[node]bool{}
	group, ctx := errgroup.WithContext(ctx)
	read := func(columns, table string, condition func(*filter.Params) string, scan func(driver.Rows) error) {
		group.Go(func() error {
			var p filter.Params
			sql := "SELECT " + columns + " FROM " + s.table(table) + " WHERE tenant IN " + p.Add("Array(String)", setOf(tenants)) + " AND " + condition(&p)
			return s.query(ctx, c, sql, p.Args(), scan)
		})
	}
	read(dialogColumns, "sip", messages, func(rows driver.Rows) error {
		m, err := scanDialogMessage(rows)
		byLeg[m.node] = append(byLeg[m.node], m)
		return err
	})
	read("DISTINCT tenant, if(call_id != '', call_id, correlation_id)", "media", reports, func(rows driver.Rows) error {
		var n node
		err := rows.Scan(&n.tenant, &n.id)
		reported[n] = true
		return err
	})
	return byLeg, reported, group.Wait()
}

// dialogOf is the row of a dialog. Of messages with the same time the order is
// that of requests and responses in schema.CallsQuery.
func dialogOf(key string, all []dialogMessage) Call {
	slices.SortStableFunc(all, func(a, b dialogMessage) int { return a.at.Compare(b.at) })
	first := all[0]
	c := Call{
		Tenant: first.tenant, CorrelationID: key, CallIDs: []string{first.id}, Start: first.at, LastSeen: all[len(all)-1].at,
		Messages: uint64(len(all)), UserAgents: []string{}, Codecs: []string{}, Nodes: []string{}, LegReasons: []string{}, LegConfidences: []float32{},
	}
	var requests, responses []dialogMessage
	seen, hops := map[dialogMessage]bool{}, map[[2]netip.AddrPort]bool{}
	party, opening, sdp := first, first, dialogMessage{}
	for _, m := range all {
		seen[m.sent()] = true
		if m.method != "" && m.toTag == "" {
			requests = append(requests, m)
			if m.method == m.cseqMethod {
				hops[[2]netip.AddrPort{m.src, m.dst}] = true
			}
		}
		if m.status > 0 {
			responses = append(responses, m)
		}
		// The request that opened it speaks for it, else what comes nearest to that.
		if less(m.toTag != "", party.toTag != "", m.method == "", party.method == "") {
			party = m
		}
		if less(m.method == "", opening.method == "", m.toTag != "", opening.toTag != "") {
			opening = m
		}
		if m.sdp != "" && (sdp.sdp == "" || m.status > 0 || sdp.status == 0) {
			sdp = m
		}
		if m.q850 > 0 {
			c.Q850 = m.q850
		}
		c.UserAgents = append(c.UserAgents, m.userAgent, m.server)
		if m.agent != "" || m.captureID == 0 {
			c.Nodes = append(c.Nodes, m.agent)
		} else {
			c.Nodes = append(c.Nodes, strconv.FormatUint(uint64(m.captureID), 10))
		}
	}
	c.Retransmissions, c.Hops = uint64(len(all)-len(seen)), uint64(len(hops))
	c.UserAgents, c.Nodes, c.Codecs = named(c.UserAgents), named(c.Nodes), codecsOf(sdp.sdp)
	c.FromUser, c.FromDomain, c.ToUser, c.ToDomain = party.parties.fromUser, party.parties.fromDomain, party.parties.toUser, party.parties.toDomain
	c.RURIUser, c.SrcIP, c.SrcPort, c.DstIP, c.DstPort = opening.ruriUser, unmap(opening.src.Addr()), opening.src.Port(), unmap(opening.dst.Addr()), opening.dst.Port()
	c.Method = first.cseqMethod
	slices.SortFunc(requests, func(a, b dialogMessage) int {
		return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.method, b.method), cmp.Compare(a.fromTag, b.fromTag), cmp.Compare(a.cseq, b.cseq), cmp.Compare(a.branch, b.branch), a.src.Compare(b.src))
	})
	slices.SortFunc(responses, func(a, b dialogMessage) int {
		return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.status, b.status), cmp.Compare(a.reason, b.reason), cmp.Compare(a.cseqMethod, b.cseqMethod), cmp.Compare(a.fromTag, b.fromTag), cmp.Compare(a.cseq, b.cseq), cmp.Compare(a.branch, b.branch), a.dst.Compare(b.dst))
	})
	fare(&c, requests, responses)
	return c
}

// fare says how a dialog fared: what its caller was told of the last try.
func fare(c *Call, requests, responses []dialogMessage) {
	openedAt, tag := c.Start, ""
	if len(requests) > 0 {
		c.Method, openedAt, tag = requests[0].method, requests[0].at, requests[0].fromTag
	} else if len(responses) > 0 {
		tag = responses[0].fromTag
	}
	tries := slices.DeleteFunc(requests, func(m dialogMessage) bool { return m.method != c.Method })
	own := func(m dialogMessage) bool { return m.fromTag == tag }
	number := func(n uint32) func(dialogMessage) bool {
		return func(m dialogMessage) bool { return own(m) && m.cseq == n }
	}
	answers := slices.DeleteFunc(responses, func(m dialogMessage) bool {
		return m.cseqMethod != c.Method || !own(m) || len(tries) > 0 && !slices.ContainsFunc(tries, number(m.cseq))
	})
	var last dialogMessage
	lastTry := dialogMessage{src: netip.AddrPortFrom(netip.IPv6Unspecified(), 0)}
	of := answers
	if len(tries) > 0 {
		of = tries
	}
	for _, m := range of {
		if own(m) && m.cseq > last.cseq {
			last.cseq = m.cseq
		}
	}
	if i := slices.IndexFunc(of, number(last.cseq)); i >= 0 {
		last = of[i]
		if len(tries) > 0 {
			lastTry = last
		}
	}
	var told []dialogMessage
	for _, m := range answers {
		if m.cseq == last.cseq && (m.branch == last.branch || m.branch == "" && m.dst == lastTry.src) {
			told = append(told, m)
		}
	}
	firstOf := func(list []dialogMessage, is func(status uint16) bool) *dialogMessage {
		if i := slices.IndexFunc(list, func(m dialogMessage) bool { return is(m.status) }); i >= 0 {
			return &list[i]
		}
		return nil
	}
	success := func(status uint16) bool { return status >= 200 && status <= 299 }
	final := cmp.Or(firstOf(told, success), firstOf(answers, success), firstOf(told, func(status uint16) bool { return status >= 300 }))
	c.Outcome = "unanswered"
	if final != nil {
		c.FinalStatus, c.FinalReason = final.status, final.reason
		if success(final.status) {
			c.Outcome, c.Answer = "answered", &final.at
		} else {
			c.Outcome, c.End = "failed", &final.at
		}
	}
	if rang := firstOf(told, func(status uint16) bool { return status == 180 || status == 183 }); rang != nil {
		c.Ring, c.PDDMs = &rang.at, milliseconds(openedAt, rang.at)
		if over := cmp.Or(c.Answer, c.End); over != nil {
			c.RingMs = milliseconds(rang.at, *over)
		}
	}
	if fares := firstOf(told, func(status uint16) bool {
		return status > 100 && status != 401 && status != 402 && status != 407
	}); fares != nil {
		c.SRDMs = milliseconds(openedAt, fares.at)
	}
}

// sent is the message without what differs when the same is sent again.
func (m dialogMessage) sent() dialogMessage {
	return dialogMessage{
		src: m.src, dst: m.dst, method: m.method, status: m.status, cseq: m.cseq, cseqMethod: m.cseqMethod,
		branch: m.branch, fromTag: m.fromTag, toTag: m.toTag, sdp: m.sdp, agent: m.agent, captureID: m.captureID,
	}
}

// less compares pairs of flags, false being less.
func less(a, b, a2, b2 bool) bool {
	if a != b {
		return b
	}
	return b2 && !a2
}

// named are the names in order, each once.
func named(list []string) []string {
	slices.Sort(list)
	return slices.DeleteFunc(slices.Compact(list), func(s string) bool { return s == "" })
}

// codecsOf are the codecs of the first stream of an SDP's summary: see column sdp.
func codecsOf(sdp string) []string {
	stream, _, _ := strings.Cut(sdp, ", ")
	if words := strings.Split(stream, " "); len(words) == 4 {
		return strings.Split(words[2], ",")
	}
	return []string{}
}

func milliseconds(from, to time.Time) *float64 {
	ms := float64(to.Sub(from).Microseconds()) / 1000
	return &ms
}
