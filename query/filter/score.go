package filter

import "strings"

// score guesses how much a condition narrows down, most last.
type score int

const (
	scoreNone score = iota
	scoreRange
	scorePattern
	scoreEqual
	scoreParty
	scoreID
)

// score guesses how much a condition on a message narrows down.
func (c *compiler) score(n Node) score {
	switch n := n.(type) {
	case *Text:
		if strings.Contains(n.Value.Text, "%") {
			return scorePattern
		}
		return scoreParty
	case *And:
		best := scoreNone
		for _, o := range n.Nodes {
			best = max(best, c.score(o))
		}
		return best
	case *Or:
		least := scoreID
		for _, o := range n.Nodes {
			least = min(least, c.score(o))
		}
		return least
	case *Cond:
		f, err := c.target.resolve(n)
		if err != nil {
			return scoreNone
		}
		equal := n.Op == Eq || n.Op == In
		switch {
		case equal && (f.Name == "call_id" || f.Name == "correlation_id"):
			return scoreID
		case equal && indexed(f):
			return scoreParty
		case equal:
			return scoreEqual
		case n.Op == Like || n.Op == Match:
			return scorePattern
		}
		return scoreRange
	}
	return scoreNone
}

// indexed reports whether every column of the field has a bloom filter.
func indexed(f Field) bool {
	if f.computed != nil {
		return false
	}
	for _, column := range f.columns {
		if c, ok := Calls.column(column); !ok || !strings.HasPrefix(c.Index, "bloom") {
			return false
		}
	}
	return true
}
