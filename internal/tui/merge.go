package tui

import (
	"slices"

	"github.com/heplake/heplake/query"
)

// merge makes one flow of those of several calls: every leg of each, on the same
// participants, in order of time. The order within a call stays. Findings say
// which leg they are about. A call that is part of one before it is left out.
func merge(flows []*query.Flow) *query.Flow {
	m := &merger{out: &query.Flow{Findings: []query.Finding{}}, participants: map[string]int{}}
	for _, f := range flows {
		m.add(f)
	}
	m.weave()
	return m.out
}

// merger is a flow being made of others.
type merger struct {
	out          *query.Flow
	participants map[string]int
	parts        []*part
}

// part is one of the flows.
type part struct {
	flow *query.Flow
	// place is where each participant and each item of it has gone.
	participant, item []int
	leg, transaction  int // the first of it
	dialog            int
	next              int // item to go
}

func (m *merger) add(f *query.Flow) {
	for _, l := range m.out.Legs {
		if slices.ContainsFunc(f.Legs, func(o query.Leg) bool { return o.CallID == l.CallID }) {
			return
		}
	}
	p := &part{flow: f, item: make([]int, len(f.Items)), leg: len(m.out.Legs), transaction: len(m.out.Transactions), dialog: len(m.out.Dialogs)}
	for _, one := range f.Participants {
		key := one.Address
		if one.Alias != "" {
			key = "alias " + one.Alias
		}
		at, ok := m.participants[key]
		if !ok {
			at = len(m.out.Participants)
			m.participants[key] = at
			m.out.Participants = append(m.out.Participants, one)
		}
		known := &m.out.Participants[at]
		if known.Name == "" {
			known.Name = one.Name
		}
		for _, a := range one.Addresses {
			if !slices.Contains(known.Addresses, a) {
				known.Addresses = append(slices.Clip(known.Addresses), a)
			}
		}
		p.participant = append(p.participant, at)
	}
	m.parts = append(m.parts, p)
	m.out.Legs = append(m.out.Legs, f.Legs...)
	m.out.Transactions = append(m.out.Transactions, f.Transactions...)
	m.out.Dialogs = append(m.out.Dialogs, f.Dialogs...)
	for _, c := range f.Clocks {
		if !slices.ContainsFunc(m.out.Clocks, func(o query.Clock) bool { return o.Node == c.Node && o.CaptureID == c.CaptureID }) {
			m.out.Clocks = append(m.out.Clocks, c)
		}
	}
	if f.Truncated != "" {
		m.out.Truncated = f.Truncated
	}
	call := &m.out.Call
	if len(m.parts) == 1 {
		call.Method = f.Call.Method // what most messages are about needs no words
	}
	call.CallIDs = append(call.CallIDs, f.Call.CallIDs...)
	call.Messages += f.Call.Messages
	call.Retransmissions += f.Call.Retransmissions
	if call.Start.IsZero() || f.Call.Start.Before(call.Start) {
		call.Start = f.Call.Start
	}
	if f.Call.LastSeen.After(call.LastSeen) {
		call.LastSeen = f.Call.LastSeen
	}
}

// weave puts the items in order and makes what refers to them refer to their new
// places.
func (m *merger) weave() {
	for {
		var first *part
		for _, p := range m.parts {
			if p.next < len(p.flow.Items) && (first == nil || p.flow.Items[p.next].Time.Before(first.flow.Items[first.next].Time)) {
				first = p
			}
		}
		if first == nil {
			break
		}
		first.item[first.next] = len(m.out.Items)
		m.out.Items = append(m.out.Items, first.placed(m.out.Items))
		first.next++
	}
	for _, p := range m.parts {
		p.rewrite(m.out)
	}
	slices.SortStableFunc(m.out.Findings, func(a, b query.Finding) int { return severity(a) - severity(b) })
}

func severity(f query.Finding) int {
	return slices.Index([]query.Severity{query.SeverityError, query.SeverityWarning, query.SeverityInfo}, f.Severity)
}

// placed is the part's next item as it stands after those before it.
func (p *part) placed(before []query.Item) query.Item {
	it := p.flow.Items[p.next]
	it.Index = len(before)
	it.Src, it.Dst = at(p.participant, it.Src), at(p.participant, it.Dst)
	it.Leg, it.Transaction, it.Dialog = moved(it.Leg, p.leg), moved(it.Transaction, p.transaction), moved(it.Dialog, p.dialog)
	it.OffsetUs, it.DeltaUs = 0, 0
	if n := len(before); n > 0 {
		it.OffsetUs = it.Time.Sub(before[0].Time).Microseconds()
		it.DeltaUs = it.Time.Sub(before[n-1].Time).Microseconds()
	}
	return it
}

// rewrite puts the part's transactions, dialogs and findings into the flow.
func (p *part) rewrite(out *query.Flow) {
	items := func(list []int) []int {
		to := make([]int, len(list))
		for i, n := range list {
			to[i] = at(p.item, n)
		}
		return to
	}
	for i := range p.flow.Transactions {
		t := &out.Transactions[p.transaction+i]
		t.Leg, t.Parent = moved(t.Leg, p.leg), moved(t.Parent, p.transaction)
		t.Client, t.Server = at(p.participant, t.Client), at(p.participant, t.Server)
		t.Request, t.Final, t.Ack, t.Items = at(p.item, t.Request), at(p.item, t.Final), at(p.item, t.Ack), items(t.Items)
	}
	for i := range p.flow.Dialogs {
		d := &out.Dialogs[p.dialog+i]
		d.Leg, d.First, d.Last = moved(d.Leg, p.leg), at(p.item, d.First), at(p.item, d.Last)
	}
	for _, f := range p.flow.Findings {
		if len(f.Items) > 0 {
			if leg := moved(p.flow.Items[f.Items[0]].Leg, p.leg); leg >= 0 {
				f.Text = string(rune('A'+leg%26)) + ": " + f.Text
			}
		}
		f.Items, f.Client, f.Server = items(f.Items), at(p.participant, f.Client), at(p.participant, f.Server)
		out.Findings = append(out.Findings, f)
	}
}

// at is where something has gone; -1 is none.
func at(places []int, i int) int {
	if i < 0 || i >= len(places) {
		return -1
	}
	return places[i]
}

// moved is an index in the whole list; -1 is none.
func moved(i, by int) int {
	if i < 0 {
		return -1
	}
	return i + by
}
