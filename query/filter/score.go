package filter

import "strings"

// score guesses how much a condition narrows down, most last.
type score int

const (
	scoreNone score = iota
	scoreRange
	scorePattern
	scoreEqual
	scoreStatus
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
		case equal && isID(f):
			return scoreID
		case f.Name == "status" && (equal || n.Op == Ge || n.Op == Gt):
			return scoreStatus // most are 200 and 1xx, which are not what one looks for
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

// isID reports whether the field holds what names a leg.
func isID(f Field) bool { return f.Name == "call_id" || f.Name == "correlation_id" }

// ids lists Call-IDs and correlation ids of which a message that meets the
// condition has one; nil when the condition demands none. An empty id is none:
// where it is, nobody keeps.
func (c *compiler) ids(n Node) []string {
	switch n := n.(type) {
	case *And:
		var best []string
		for _, o := range n.Nodes {
			if ids := c.ids(o); best == nil || ids != nil && len(ids) < len(best) {
				best = ids
			}
		}
		return best
	case *Or:
		var all []string
		for _, o := range n.Nodes {
			ids := c.ids(o)
			if ids == nil {
				return nil
			}
			all = append(all, ids...)
		}
		return all
	case *Cond:
		f, err := c.target.resolve(n)
		if err != nil || !isID(f) || n.Op != Eq && n.Op != In {
			return nil
		}
		var ids []string
		for _, v := range n.Values {
			if v.Text == "" {
				return nil
			}
			ids = append(ids, v.Text)
		}
		return ids
	}
	return nil
}

// idCondition is what the condition says when it is about ids and nothing else;
// empty when it is not.
func (c *compiler) idCondition(n Node) IDCondition {
	switch n := n.(type) {
	case *Or:
		all := IDCondition{}
		for _, o := range n.Nodes {
			one := c.idCondition(o)
			if one.Empty() {
				return IDCondition{}
			}
			all.CallIDs = append(all.CallIDs, one.CallIDs...)
			all.CorrelationIDs = append(all.CorrelationIDs, one.CorrelationIDs...)
		}
		return all
	case *Cond:
		ids := c.ids(n)
		if ids == nil {
			return IDCondition{}
		}
		if f, _ := c.target.resolve(n); f.Name == "call_id" {
			return IDCondition{CallIDs: ids}
		}
		return IDCondition{CorrelationIDs: ids}
	}
	return IDCondition{}
}
