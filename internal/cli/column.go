package cli

import (
	"cmp"
	"strconv"
	"strings"
	"time"

	"github.com/heplake/heplake/internal/termtext"
	"github.com/heplake/heplake/query"
	"github.com/heplake/heplake/query/ladder"
)

// The columns of a table of calls. Their weights say which go first where there
// is no room.

func startColumn(title, layout string) *tableColumn {
	return &tableColumn{
		title: title, usual: len(layout),
		cell:  plainCell(func(d Display, c *query.Call) string { return c.Start.In(d.zone()).Format(layout) }),
		order: func(a, b *query.Call) int { return a.Start.Compare(b.Start) },
	}
}

func methodColumn() *tableColumn {
	return textColumn("METHOD", 9, func(c *query.Call) string { return c.Method })
}

func fromColumn() *tableColumn {
	col := textColumn("FROM", 16, func(c *query.Call) string { return who(c.FromUser, c.FromDomain) })
	col.easy, col.least = 14, 8
	return col
}

func toColumn() *tableColumn {
	col := textColumn("TO", 16, func(c *query.Call) string { return who(dialled(c), c.ToDomain) })
	col.easy, col.least = 14, 8
	return col
}

func resultColumn() *tableColumn {
	return &tableColumn{title: "RESULT", usual: 24, easy: 22, least: 12, cell: result, order: func(a, b *query.Call) int {
		return cmp.Or(cmp.Compare(a.Outcome, b.Outcome), cmp.Compare(a.FinalStatus, b.FinalStatus))
	}}
}

func durationColumn() *tableColumn {
	return numberColumn("DURATION", 8, 1,
		func(c *query.Call) string { return durationOf(c.DurationS, time.Second) },
		func(c *query.Call) float64 { return known(c.DurationS) })
}

func pddColumn() *tableColumn {
	return numberColumn("PDD", 7, 3,
		func(c *query.Call) string { return durationOf(c.PDDMs, time.Millisecond) },
		func(c *query.Call) float64 { return known(c.PDDMs) })
}

func mosColumn() *tableColumn {
	col := numberColumn("MOS", 4, 2, nil, func(c *query.Call) float64 { return known(c.MOSAvg) })
	col.cell = mosCell
	return col
}

func messagesColumn() *tableColumn {
	return numberColumn("MSGS", 4, 5,
		func(c *query.Call) string { return strconv.FormatUint(c.Messages, 10) },
		func(c *query.Call) float64 { return float64(c.Messages) })
}

func resentColumn() *tableColumn {
	col := numberColumn("RETR", 4, 4, nil, func(c *query.Call) float64 { return float64(c.Retransmissions) })
	col.cell = func(_ Display, c *query.Call) (string, termtext.Style) {
		if c.Retransmissions == 0 {
			return "", termtext.Plain
		}
		return strconv.FormatUint(c.Retransmissions, 10), termtext.Yellow
	}
	return col
}

func hopsColumn() *tableColumn {
	return numberColumn("HOPS", 4, 6,
		func(c *query.Call) string { return strconv.FormatUint(c.Hops, 10) },
		func(c *query.Call) float64 { return float64(c.Hops) })
}

func sourceColumn() *tableColumn {
	return &tableColumn{
		title: "SOURCE", usual: 15, weight: 7,
		cell: plainCell(func(_ Display, c *query.Call) string {
			if !c.SrcIP.IsValid() {
				return ""
			}
			return c.SrcIP.Unmap().String()
		}),
		order: func(a, b *query.Call) int { return a.SrcIP.Unmap().Compare(b.SrcIP.Unmap()) },
	}
}

// textColumn is a column of words.
func textColumn(title string, usual int, text func(*query.Call) string) *tableColumn {
	return &tableColumn{
		title: title, usual: usual,
		cell:  plainCell(func(_ Display, c *query.Call) string { return text(c) }),
		order: func(a, b *query.Call) int { return strings.Compare(text(a), text(b)) },
	}
}

// numberColumn is a column of numbers.
func numberColumn(title string, usual, weight int, text func(*query.Call) string, value func(*query.Call) float64) *tableColumn {
	return &tableColumn{
		title: title, right: true, usual: usual, weight: weight,
		cell:  plainCell(func(_ Display, c *query.Call) string { return text(c) }),
		order: func(a, b *query.Call) int { return cmp.Compare(value(a), value(b)) },
	}
}

func plainCell(text func(Display, *query.Call) string) func(Display, *query.Call) (string, termtext.Style) {
	return func(d Display, c *query.Call) (string, termtext.Style) { return d.text(text(d, c)), termtext.Plain }
}

// known is a value; one that is not known is less than all others.
func known(v *float64) float64 {
	if v == nil {
		return -1
	}
	return *v
}

// dialled is the number the caller asked for: that of the request URI where it
// differs from To, which may have been set long before.
func dialled(c *query.Call) string {
	if c.RURIUser != "" && c.Method == "INVITE" {
		return c.RURIUser
	}
	return c.ToUser
}

// who is the user part, or the domain of a URI that has none.
func who(user, domain string) string {
	if user == "" {
		return domain
	}
	return user
}

func durationOf(v *float64, unit time.Duration) string {
	if v == nil {
		return ""
	}
	return ladder.Duration(time.Duration(*v * float64(unit)))
}

// result is how a call ended, in the colour of the ladder.
func result(d Display, c *query.Call) (string, termtext.Style) {
	status := ""
	if c.FinalStatus != 0 {
		status = strings.TrimSpace(strconv.Itoa(int(c.FinalStatus)) + " " + d.text(c.FinalReason))
	}
	pick := func(mark, ascii, words string, st termtext.Style) (string, termtext.Style) {
		if d.ASCII {
			mark = ascii
		}
		return mark + " " + words, st
	}
	switch c.Outcome {
	case query.Answered:
		return pick("✓", "ok", or(status, "answered"), termtext.Green)
	case query.Cancelled:
		return pick("⊘", "/", or(status, "cancelled"), termtext.Yellow)
	case query.Unanswered:
		return pick("∅", "?", "no final response", termtext.Red)
	case query.InProgress:
		return pick("●", "*", "in progress", termtext.Cyan)
	case query.Failed:
		return pick("✗", "X", or(status, "failed"), termtext.RedBold)
	}
	return d.text(string(c.Outcome)), termtext.Plain
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func mosCell(_ Display, c *query.Call) (string, termtext.Style) {
	if c.MOSAvg == nil {
		return "", termtext.Plain
	}
	return strconv.FormatFloat(*c.MOSAvg, 'f', 2, 64), mosStyle(*c.MOSAvg)
}

// mosStyle is the colour of a mean opinion score: below 3.1 nearly all users
// are dissatisfied, below 3.6 many (ITU-T G.107, table B.1).
func mosStyle(mos float64) termtext.Style {
	switch {
	case mos <= 0:
		return termtext.Dim
	case mos < 3.1:
		return termtext.RedBold
	case mos < 3.6:
		return termtext.Yellow
	}
	return termtext.Green
}
