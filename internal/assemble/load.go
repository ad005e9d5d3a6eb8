package assemble

import (
	"bytes"
	"cmp"
	"context"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/heplake/heplake/internal/calls"
	"github.com/heplake/heplake/schema"
)

// slotWidth is the time that a row of legs covers.
const slotWidth = 10 * time.Minute

// maxEvents bounds the events of a leg that are looked at: a Call-ID with more is
// no call but a fault or an attack.
const maxEvents = 20_000

// leg is a leg as it was read.
type leg struct {
	calls.Leg
	// opened: a request that could have opened it was seen.
	opened bool
}

// legID names a leg.
type legID struct{ tenant, callID string }

// span is a range of slots, both ends included.
type span struct{ from, to time.Time }

func (s span) wider(d time.Duration) span { return span{s.from.Add(-d), s.to.Add(d)} }

func (s span) sql(column string) string {
	return column + " >= toDateTime(" + strconv.FormatInt(max(0, s.from.Unix()), 10) + ") AND " + column + " <= toDateTime(" + strconv.FormatInt(max(0, s.to.Unix()), 10) + ")"
}

// slotOf is the slot that a time lies in.
func slotOf(t time.Time) time.Time { return t.Truncate(slotWidth) }

// join is strings.Join, under a name that does not hide behind a field's.
func join(list []string, separator string) string { return strings.Join(list, separator) }

// inList is a list of string literals in parentheses.
func inList(values []string) string {
	var b strings.Builder
	b.WriteByte('(')
	for i, v := range values {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(schema.Quote(v))
	}
	b.WriteByte(')')
	return b.String()
}

// querySettings are those of every query: lists of ids make long texts, and a
// core of the server's is enough.
var querySettings = clickhouse.Settings{
	"max_query_size": 256 << 20, "max_ast_elements": 10_000_000, "max_expanded_ast_elements": 10_000_000,
	"max_threads": 1, "log_comment": "heplake assembler",
	"output_format_binary_write_json_as_string": 1,
	"load_balancing": sameReplica, "distributed_product_mode": "global",
}

// sameReplica has ClickHouse, where the tables are spread over a cluster, read
// each shard from the replica that rows were written to: what was written is
// then there.
const sameReplica = "in_order"

// rows runs a query and calls row for each of its rows.
func (a *Assembler) rows(ctx context.Context, sql string, row func(*reader)) error {
	body, err := a.cfg.Conn.QueryFormat(clickhouse.Context(ctx, clickhouse.WithSettings(querySettings)), "RowBinary", sql)
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	r := newReader(body)
	for r.more() {
		row(r)
	}
	return r.err
}

// conditions on legs.
func legCondition(s span, ids []legID) string {
	tenants := map[string]bool{}
	list := make([]string, len(ids))
	for i, id := range ids {
		tenants[id.tenant] = true
		list[i] = id.callID
	}
	return s.sql("slot") + " AND tenant IN " + inList(keysOf(tenants)) + " AND call_id IN " + inList(list)
}

func keysOf(m map[string]bool) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// loadLegs reads what there is of the legs within the span, and adds it to into;
// what is there already of a leg is replaced.
func (a *Assembler) loadLegs(ctx context.Context, s span, ids []legID, into map[legID]*leg) error {
	if len(ids) == 0 {
		return nil
	}
	wanted := make(map[legID]bool, len(ids))
	for _, id := range ids {
		wanted[id] = true
	}
	sql := `SELECT tenant, call_id, min(first), max(last), arraySlice(groupArrayArray(events), 1, ` + strconv.Itoa(maxEvents) + `), max(opening),
    groupUniqArrayArray(addresses), groupUniqArrayArray(correlation_ids), groupUniqArrayArray(link_ids), groupUniqArrayArray(reasons), max(q850),
    max(offered), max(answered), groupUniqArrayArray(user_agents), groupUniqArrayArray(nodes), groupUniqArrayArray(media)
FROM ` + a.table("legs") + ` WHERE ` + legCondition(s, ids) + ` GROUP BY tenant, call_id`
	return a.rows(ctx, sql, func(r *reader) {
		l := readLeg(r)
		if id := (legID{l.Tenant, l.CallID}); wanted[id] && r.err == nil {
			into[id] = l
		}
	})
}

// readLeg reads a row of loadLegs.
func readLeg(r *reader) *leg {
	l := &leg{Leg: calls.Leg{Tenant: r.string(), CallID: r.string()}}
	l.First, l.Last = time.UnixMicro(r.int64()).UTC(), time.UnixMicro(r.int64()).UTC()
	n := r.length()
	l.Events = make([]calls.Event, 0, min(n, maxEvents))
	for i := 0; i < n && r.err == nil; i++ {
		l.Events = append(l.Events, calls.Event{
			Time: r.int64(), Method: calls.Method(r.uint8()), Status: r.uint16(), CSeq: r.uint32(), FromTag: r.uint32(), ToTag: r.uint32(), Branch: r.uint32(),
			Src: r.uint32(), Dst: r.uint32(), Agent: r.uint32(), SDP: r.uint32(), Expires: r.uint32(),
		})
	}
	l.Events = distinct(l.Events)
	l.Messages = uint64(len(l.Events))
	l.Opening, l.opened = readOpening(r.bytes())
	l.Addresses = make(map[uint32]netip.AddrPort)
	for n := r.length(); n > 0 && r.err == nil; n-- {
		h := r.uint32()
		ip := r.addr()
		l.Addresses[h] = netip.AddrPortFrom(ip, r.uint16())
	}
	l.CorrelationIDs, l.LinkIDs = sorted(r.strings()), sorted(r.strings())
	l.Reasons = map[uint16]string{}
	for n := r.length(); n > 0 && r.err == nil; n-- {
		status := r.uint16()
		reason := r.string()
		// Of several phrases the same one whatever order they came in.
		if was, ok := l.Reasons[status]; !ok || reason > was {
			l.Reasons[status] = reason
		}
	}
	l.Q850 = uint16(r.uint64() & 4095)
	l.Offered, l.Answered = withoutTime(r.bytes()), withoutTime(r.bytes())
	l.UserAgents, l.Nodes, l.MediaAddresses = sorted(r.strings()), sorted(r.strings()), sorted(r.strings())
	return l
}

func sorted(v []string) []string {
	slices.Sort(v)
	return v
}

// withoutTime takes the 16 digits of the time off, which served to find the last.
func withoutTime(b []byte) string {
	if len(b) < 16 {
		return ""
	}
	return string(b[16:])
}

// distinct sorts events and leaves each once: a record may arrive twice.
func distinct(events []calls.Event) []calls.Event {
	slices.SortFunc(events, func(x, y calls.Event) int {
		if c := cmp.Compare(x.Time, y.Time); c != 0 {
			return c
		}
		return cmp.Or(cmp.Compare(x.Agent, y.Agent), cmp.Compare(x.Branch, y.Branch), cmp.Compare(x.Method, y.Method), cmp.Compare(x.Status, y.Status),
			cmp.Compare(x.CSeq, y.CSeq), cmp.Compare(x.FromTag, y.FromTag), cmp.Compare(x.ToTag, y.ToTag), cmp.Compare(x.Src, y.Src), cmp.Compare(x.Dst, y.Dst),
			cmp.Compare(x.SDP, y.SDP), cmp.Compare(x.Expires, y.Expires))
	})
	return slices.Compact(events)
}

// The words of the column opening, after the first: see schema.FactsFeed.
const (
	wordMethod = iota
	wordFromUser
	wordFromDomain
	wordToUser
	wordToDomain
	wordRuriUser
	wordRuriDomain
	wordPAIUser
	wordDiversion
	wordContactUser
	wordContactHost
	wordContactPort
	wordSrcIP
	wordSrcPort
	wordDstIP
	wordDstPort
	wordTransport
	wordUserAgent
	openingWords
)

// readOpening reads the column opening; the zero Opening when it is empty. opened
// tells whether it is of a request that could have opened the leg, and not of
// another message for want of one.
func readOpening(b []byte) (o calls.Opening, opened bool) {
	const timeAt, digits = 3, 16
	words := bytes.Split(b, []byte{0x1f})
	if len(words) != openingWords+1 || len(words[0]) != timeAt+digits {
		return o, false
	}
	left, err := strconv.ParseUint(string(words[0][timeAt:]), 16, 64)
	if err != nil {
		return o, false
	}
	word := func(i int) string { return string(words[1+i]) }
	return calls.Opening{
		Time: time.UnixMicro(int64(^left)).UTC(), Method: word(wordMethod),
		FromUser: word(wordFromUser), FromDomain: word(wordFromDomain), ToUser: word(wordToUser), ToDomain: word(wordToDomain),
		RuriUser: word(wordRuriUser), RuriDomain: word(wordRuriDomain), PAIUser: word(wordPAIUser), Diversion: word(wordDiversion),
		ContactUser: word(wordContactUser), ContactHost: word(wordContactHost), ContactPort: port(words[1+wordContactPort]),
		Src: host(word(wordSrcIP), words[1+wordSrcPort]), Dst: host(word(wordDstIP), words[1+wordDstPort]),
		Transport: word(wordTransport), UserAgent: word(wordUserAgent),
	}, words[0][0] == '1'
}

func port(b []byte) uint16 {
	n, _ := strconv.ParseUint(string(b), 10, 16)
	return uint16(n)
}

func host(ip string, p []byte) netip.AddrPort {
	a, err := netip.ParseAddr(ip)
	if err != nil {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(addrOf(a.As16()), port(p))
}

// report is a quality report of a leg.
type report struct {
	time                   int64
	from                   netip.AddrPort
	ssrc, reporter         uint32
	mos, loss, jitter, rtt float64
	reception              uint8
}

// loadReports gives legs what was reported of their media: by their Call-ID, or
// by a correlation id that only they have.
func (a *Assembler) loadReports(ctx context.Context, s span, legs map[legID]*leg) error {
	owner := map[legID]*leg{}
	for id, l := range legs {
		for _, c := range l.CorrelationIDs {
			k := legID{id.tenant, c}
			// Of several legs the first to begin has the reports.
			if o := owner[k]; o == nil || l.First.Before(o.First) || l.First.Equal(o.First) && l.CallID < o.CallID {
				owner[k] = l
			}
		}
	}
	for id, l := range legs {
		owner[id] = l
	}
	ids := make([]legID, 0, len(owner))
	for id := range owner {
		ids = append(ids, id)
	}
	if len(ids) == 0 {
		return nil
	}
	sql := `SELECT tenant, call_id, arraySlice(groupArrayArray(reports), 1, ` + strconv.Itoa(maxEvents) + `) FROM ` + a.table("leg_reports") +
		` WHERE ` + legCondition(s, ids) + ` GROUP BY tenant, call_id`
	return a.rows(ctx, sql, func(r *reader) {
		id := legID{r.string(), r.string()}
		n := r.length()
		list := make([]report, 0, min(n, maxEvents))
		for i := 0; i < n && r.err == nil; i++ {
			v := report{time: r.int64()}
			ip := r.addr()
			v.from = netip.AddrPortFrom(ip, r.uint16())
			v.ssrc, v.reporter = r.uint32(), r.uint32()
			v.mos, v.loss, v.jitter, v.rtt, v.reception = r.float32(), r.float32(), r.float32(), r.float32(), r.uint8()
			list = append(list, v)
		}
		if l := owner[id]; l != nil && r.err == nil {
			l.Quality = append(l.Quality, sums(list)...)
		}
	})
}

// sums adds reports up by who sent them, each once.
func sums(list []report) []calls.Quality {
	slices.SortFunc(list, func(x, y report) int {
		return cmp.Or(x.from.Compare(y.from), cmp.Compare(x.time, y.time), cmp.Compare(x.ssrc, y.ssrc), cmp.Compare(x.reporter, y.reporter),
			cmp.Compare(x.mos, y.mos), cmp.Compare(x.loss, y.loss), cmp.Compare(x.jitter, y.jitter), cmp.Compare(x.rtt, y.rtt))
	})
	var out []calls.Quality
	for _, r := range slices.Compact(list) {
		if len(out) == 0 || out[len(out)-1].From != r.from {
			out = append(out, calls.Quality{From: r.from})
		}
		q := &out[len(out)-1]
		if r.mos > 0 {
			if q.MOSCount == 0 || r.mos < q.MOSMin {
				q.MOSMin = r.mos
			}
			q.MOSSum += r.mos
			q.MOSCount++
		}
		if r.reception == 1 {
			q.LossSum += r.loss
			q.JitterSum += r.jitter
			q.Receptions++
		}
		if r.rtt > 0 {
			q.RTTSum += r.rtt
			q.RTTCount++
		}
	}
	return out
}

// loadCarriers lists the legs that have one of the ids as correlation id or link
// id.
func (a *Assembler) loadCarriers(ctx context.Context, s span, tenants map[string]bool, ids []string) ([]legID, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	values := make([]string, 0, len(ids))
	values = append(values, ids...)
	sql := "SELECT DISTINCT tenant, call_id FROM " + a.table("leg_links") + " WHERE " + s.sql("slot") +
		" AND tenant IN " + inList(keysOf(tenants)) + " AND key IN " + inList(values)
	var out []legID
	err := a.rows(ctx, sql, func(r *reader) { out = append(out, legID{r.string(), r.string()}) })
	return out, err
}
