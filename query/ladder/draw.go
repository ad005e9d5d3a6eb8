package ladder

import (
	"slices"
	"time"

	"github.com/heplake/heplake/internal/termtext"
	"github.com/heplake/heplake/query"
)

// Drawing is a ladder in pieces, for a viewer that scrolls or adds rows as they
// come. Every piece is lines without line ends, in the colours of the options;
// none is wider than the options' width, but for raw messages. It is not safe
// for concurrent use, and reads the flow as long as it is used.
type Drawing struct{ t *text }

// Mark is how a viewer sets a row apart from the others.
type Mark struct {
	Cursor bool // it has the cursor
	Chosen bool // it is one of those that something is to be done with
	Clock  bool // it shows the time of day, whatever the others show
}

// Draw lays a flow out. The options' zero values are those of Text.
func Draw(f *query.Flow, o TextOptions) *Drawing {
	if o.Width == 0 {
		o.Width = 120
	}
	o.Width = max(o.Width, 40)
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	m := build(f)
	t := &text{m: m, o: o, p: newPen(o.Color, o.ASCII), newSDP: m.newSDP()}
	t.placeFindings()
	t.l = m.arrange(t.p, o.Width, o.Even)
	for _, r := range m.rows {
		if r.item.Kind == query.KindSIP && (t.l.notes == 0 || width(clean(r.item.SDP)) > t.l.width-t.l.notes) && r.item.SDP != "" {
			t.sdpBelow = true
		}
	}
	return &Drawing{t}
}

// Len is the number of rows: the flow's items.
func (d *Drawing) Len() int { return len(d.t.m.rows) }

// Summary is what is known of the call as a whole: who called whom, how it
// ended and why, when, its legs.
func (d *Drawing) Summary() []string { return d.t.drawn(d.t.summary) }

// Reason is why the call ended as it did, and what went wrong: that part of the
// summary that one looks for first.
func (d *Drawing) Reason() []string {
	return d.t.drawn(func() {
		c := &d.t.m.flow.Call
		d.t.fact(fact{"why", reasons(d.t.m.flow)}, outcomeStyle[c.Outcome])
		d.t.findings(true)
	})
}

// Header is what stands over the lifelines: the participants.
func (d *Drawing) Header() []string { return d.t.drawn(d.t.header) }

// Row is a row's lines: a long silence before it, the row itself, and what is
// said below it (a parse error, its session description, the raw message).
func (d *Drawing) Row(i int, mark Mark) []string {
	return d.t.drawn(func() { d.t.row(i, mark) })
}

// Footer closes the lifelines and explains the marks that occur.
func (d *Drawing) Footer() []string { return d.t.drawn(d.t.footer) }

// SameLanes reports whether rows of this drawing can be shown under the header
// of the other: their lifelines stand in the same places.
func (d *Drawing) SameLanes(other *Drawing) bool {
	a, b := d.t.l, other.t.l
	return a.legAt == b.legAt && a.labels == b.labels && a.list == b.list && slices.Equal(a.x, b.x) &&
		slices.Equal(d.t.m.columns, other.t.m.columns)
}

// LegMark is the letter of a leg in its colour, as it stands before the rows.
func LegMark(leg int) string { return termtext.Paint(legName(leg), legStyle(leg)) }
