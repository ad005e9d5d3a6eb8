package assemble

import (
	"slices"

	"github.com/heplake/heplake/internal/callcard"
	"github.com/heplake/heplake/internal/calls"
	"github.com/heplake/heplake/schema"
)

// field writes a column of a row made of a T.
type field[T any] struct {
	name  string
	write func(w *writer, v *T)
}

// callFields are the columns of call_rows but for version and deleted.
var callFields = []field[calls.Call]{
	{"tenant", func(w *writer, c *calls.Call) { w.string(c.Tenant) }},
	{"correlation_id", func(w *writer, c *calls.Call) { w.string(c.Key) }},
	{"call_ids", func(w *writer, c *calls.Call) { w.strings(c.CallIDs) }},
	{"method", func(w *writer, c *calls.Call) { w.string(c.Method) }},
	{"start", func(w *writer, c *calls.Call) { w.time(c.Start) }},
	{"ring", func(w *writer, c *calls.Call) { w.moment(c.Ring) }},
	{"answer", func(w *writer, c *calls.Call) { w.moment(c.Answer) }},
	{"end", func(w *writer, c *calls.Call) { w.moment(c.End) }},
	{"last_seen", func(w *writer, c *calls.Call) { w.time(c.LastSeen) }},
	{"pdd_ms", func(w *writer, c *calls.Call) { w.figure(c.PDDMs) }},
	{"srd_ms", func(w *writer, c *calls.Call) { w.figure(c.SRDMs) }},
	{"ring_ms", func(w *writer, c *calls.Call) { w.figure(c.RingMs) }},
	{"duration_s", func(w *writer, c *calls.Call) { w.figure(c.DurationS) }},
	{"sdd_ms", func(w *writer, c *calls.Call) { w.figure(c.SDDMs) }},
	{"outcome", func(w *writer, c *calls.Call) { w.string(string(c.Outcome)) }},
	{"final_status", func(w *writer, c *calls.Call) { w.uint16(c.FinalStatus) }},
	{"final_reason", func(w *writer, c *calls.Call) { w.string(c.FinalReason) }},
	{"q850", func(w *writer, c *calls.Call) { w.uint16(c.Q850) }},
	{"released_by", func(w *writer, c *calls.Call) { w.string(c.ReleasedBy) }},
	{"from_user", func(w *writer, c *calls.Call) { w.string(c.FromUser) }},
	{"from_domain", func(w *writer, c *calls.Call) { w.string(c.FromDomain) }},
	{"to_user", func(w *writer, c *calls.Call) { w.string(c.ToUser) }},
	{"to_domain", func(w *writer, c *calls.Call) { w.string(c.ToDomain) }},
	{"ruri_user", func(w *writer, c *calls.Call) { w.string(c.RuriUser) }},
	{"src_ip", func(w *writer, c *calls.Call) { w.addr(c.Src.Addr()) }},
	{"src_port", func(w *writer, c *calls.Call) { w.uint16(c.Src.Port()) }},
	{"dst_ip", func(w *writer, c *calls.Call) { w.addr(c.Dst.Addr()) }},
	{"dst_port", func(w *writer, c *calls.Call) { w.uint16(c.Dst.Port()) }},
	{"user_agents", func(w *writer, c *calls.Call) { w.strings(c.UserAgents) }},
	{"codecs", func(w *writer, c *calls.Call) { w.strings(c.Codecs) }},
	{"nodes", func(w *writer, c *calls.Call) { w.strings(c.Nodes) }},
	{"messages", func(w *writer, c *calls.Call) { w.uint64(c.Messages) }},
	{"retransmissions", func(w *writer, c *calls.Call) { w.uint64(c.Retransmissions) }},
	{"hops", func(w *writer, c *calls.Call) { w.uint64(c.Hops) }},
	{"mos_min", func(w *writer, c *calls.Call) { w.figure(c.MOSMin) }},
	{"mos_avg", func(w *writer, c *calls.Call) { w.figure(c.MOSAvg) }},
	{"loss_percent", func(w *writer, c *calls.Call) { w.figure(c.LossPercent) }},
	{"jitter_ms", func(w *writer, c *calls.Call) { w.figure(c.JitterMs) }},
	{"rtt_ms", func(w *writer, c *calls.Call) { w.figure(c.RTTMs) }},
	{"caller_mos", func(w *writer, c *calls.Call) { w.figure(c.Caller.MOSAvg) }},
	{"caller_loss_percent", func(w *writer, c *calls.Call) { w.figure(c.Caller.LossPercent) }},
	{"caller_jitter_ms", func(w *writer, c *calls.Call) { w.figure(c.Caller.JitterMs) }},
	{"callee_mos", func(w *writer, c *calls.Call) { w.figure(c.Callee.MOSAvg) }},
	{"callee_loss_percent", func(w *writer, c *calls.Call) { w.figure(c.Callee.LossPercent) }},
	{"callee_jitter_ms", func(w *writer, c *calls.Call) { w.figure(c.Callee.JitterMs) }},
	{"provisional", func(w *writer, c *calls.Call) { w.moment(c.FirstProvisional) }},
	{"ruri_domain", func(w *writer, c *calls.Call) { w.string(c.RuriDomain) }},
	{"pai_user", func(w *writer, c *calls.Call) { w.string(c.PAIUser) }},
	{"diversion", func(w *writer, c *calls.Call) { w.string(c.Diversion) }},
	{"last_src_ip", func(w *writer, c *calls.Call) { w.addr(c.LastSrc.Addr()) }},
	{"last_src_port", func(w *writer, c *calls.Call) { w.uint16(c.LastSrc.Port()) }},
	{"last_dst_ip", func(w *writer, c *calls.Call) { w.addr(c.LastDst.Addr()) }},
	{"last_dst_port", func(w *writer, c *calls.Call) { w.uint16(c.LastDst.Port()) }},
	{"transport", func(w *writer, c *calls.Call) { w.string(c.Transport) }},
	{"media_addresses", func(w *writer, c *calls.Call) { w.strings(c.MediaAddresses) }},
	{"correlation_ids", func(w *writer, c *calls.Call) { w.strings(c.CorrelationIDs) }},
	{"leg_reasons", func(w *writer, c *calls.Call) {
		w.length(len(c.Legs))
		for i := range c.Legs {
			w.string(c.Legs[i].Reason)
		}
	}},
	{"leg_confidences", func(w *writer, c *calls.Call) {
		w.length(len(c.Legs))
		for i := range c.Legs {
			w.float32(c.Legs[i].Confidence)
		}
	}},
	{"leg_statuses", func(w *writer, c *calls.Call) {
		w.length(len(c.Legs))
		for i := range c.Legs {
			w.uint16(c.Legs[i].FinalStatus)
		}
	}},
	{"tries", func(w *writer, c *calls.Call) { w.uint64(c.Tries) }},
	{"bye_answered", func(w *writer, c *calls.Call) { w.bool(c.ByeAnswered) }},
	{"opened", func(w *writer, c *calls.Call) { w.bool(c.Opened) }},
	{"card", writeCard},
}

// writeCard writes what a list shows of the call.
func writeCard(w *writer, c *calls.Call) {
	card := callcard.Card{
		Method: c.Method, Ring: c.Ring, Answer: c.Answer, End: c.End, LastSeen: c.LastSeen,
		PDDMs: c.PDDMs, SRDMs: c.SRDMs, RingMs: c.RingMs, DurationS: c.DurationS, SDDMs: c.SDDMs,
		Outcome: string(c.Outcome), FinalStatus: c.FinalStatus, FinalReason: c.FinalReason, Q850: c.Q850, ReleasedBy: c.ReleasedBy,
		FromUser: c.FromUser, FromDomain: c.FromDomain, ToUser: c.ToUser, ToDomain: c.ToDomain, RURIUser: c.RuriUser,
		Src: c.Src, Dst: c.Dst, UserAgents: c.UserAgents, Codecs: c.Codecs, Nodes: c.Nodes,
		Messages: c.Messages, Retransmissions: c.Retransmissions, Hops: c.Hops,
		MOSMin: c.MOSMin, MOSAvg: c.MOSAvg, LossPercent: c.LossPercent, JitterMs: c.JitterMs,
	}
	for i := range c.Legs {
		card.LegReasons = append(card.LegReasons, c.Legs[i].Reason)
		card.LegConfidences = append(card.LegConfidences, float32(c.Legs[i].Confidence))
	}
	w.card = card.Append(w.card[:0], c.Start)
	w.length(len(w.card))
	w.b = append(w.b, w.card...)
}

// registrationFields are the columns of registration_rows likewise.
var registrationFields = []field[calls.Registration]{
	{"tenant", func(w *writer, r *calls.Registration) { w.string(r.Tenant) }},
	{"call_id", func(w *writer, r *calls.Registration) { w.string(r.CallID) }},
	{"cseq", func(w *writer, r *calls.Registration) { w.uint32(r.CSeq) }},
	{"start", func(w *writer, r *calls.Registration) { w.time(r.Time) }},
	{"last_seen", func(w *writer, r *calls.Registration) { w.time(r.LastSeen) }},
	{"user", func(w *writer, r *calls.Registration) { w.string(r.User) }},
	{"domain", func(w *writer, r *calls.Registration) { w.string(r.Domain) }},
	{"contact", func(w *writer, r *calls.Registration) { w.string(r.Contact) }},
	{"src_ip", func(w *writer, r *calls.Registration) { w.addr(r.Source.Addr()) }},
	{"src_port", func(w *writer, r *calls.Registration) { w.uint16(r.Source.Port()) }},
	{"dst_ip", func(w *writer, r *calls.Registration) { w.addr(r.Registrar.Addr()) }},
	{"dst_port", func(w *writer, r *calls.Registration) { w.uint16(r.Registrar.Port()) }},
	{"transport", func(w *writer, r *calls.Registration) { w.string(r.Transport) }},
	{"user_agent", func(w *writer, r *calls.Registration) { w.string(r.UserAgent) }},
	{"nodes", func(w *writer, r *calls.Registration) { w.strings(r.Nodes) }},
	{"outcome", func(w *writer, r *calls.Registration) { w.string(string(r.Outcome)) }},
	{"status", func(w *writer, r *calls.Registration) { w.uint16(r.Status) }},
	{"cause", func(w *writer, r *calls.Registration) { w.string(r.Cause) }},
	{"expires", func(w *writer, r *calls.Registration) { w.uint32(r.Expires) }},
	{"rrd_ms", func(w *writer, r *calls.Registration) { w.figure(r.RRDMs) }},
	{"ineffective", func(w *writer, r *calls.Registration) { w.bool(r.Ineffective) }},
	{"requests", func(w *writer, r *calls.Registration) { w.uint64(r.Requests) }},
	{"challenged", func(w *writer, r *calls.Registration) { w.bool(r.Challenged) }},
	{"messages", func(w *writer, r *calls.Registration) { w.uint64(r.Messages) }},
	{"retransmissions", func(w *writer, r *calls.Registration) { w.uint64(r.Retransmissions) }},
}

// rowBuffer gathers the rows of one insert.
type rowBuffer[T any] struct {
	table  *schema.Table
	fields []field[T]
	row    writer // the row written last, without version and deleted
	ends   []int  // where each of its values ends
	block  block
}

func newRowBuffer[T any](table *schema.Table, fields []field[T]) *rowBuffer[T] {
	b := &rowBuffer[T]{table: table, fields: fields}
	for i := range table.Columns {
		b.block.column(&table.Columns[i])
	}
	return b
}

// write makes a row of v and returns its bytes, valid until the next. It is not
// among the gathered ones before keep.
func (b *rowBuffer[T]) write(v *T) []byte {
	b.row.b, b.ends = b.row.b[:0], b.ends[:0]
	for i := range b.fields {
		b.fields[i].write(&b.row, v)
		b.ends = append(b.ends, len(b.row.b))
	}
	return b.row.b
}

// keep adds the row written last.
func (b *rowBuffer[T]) keep(version uint64, deleted bool) {
	from := 0
	for i, end := range b.ends {
		b.block.columns[i].add(b.row.b[from:end])
		from = end
	}
	b.row.b = b.row.b[:0]
	b.row.uint64(version)
	b.row.bool(deleted)
	b.block.columns[len(b.ends)].add(b.row.b[:8])
	b.block.columns[len(b.ends)+1].add(b.row.b[8:])
	b.block.rows++
}

func (b *rowBuffer[T]) add(v *T, version uint64, deleted bool) {
	b.write(v)
	b.keep(version, deleted)
}

// columns names the columns in the order in which rows are written.
func (b *rowBuffer[T]) columns() string {
	return "`" + join(append(names(b.fields), "version", "deleted"), "`, `") + "`"
}

func qualified(database, table string) string { return "`" + database + "`.`" + table + "`" }

// names lists the fields' columns.
func names[T any](fields []field[T]) []string {
	out := make([]string, 0, len(fields))
	for _, f := range fields {
		out = append(out, f.name)
	}
	return slices.Clip(out)
}
