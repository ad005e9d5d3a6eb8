package query

import (
	"fmt"
	"strings"
)

// malformed looks for messages that break the grammar.
func (a *analysis) malformed() []Finding {
	type fault struct {
		src  int
		what string
	}
	var out []Finding
	found := map[fault]int{}
	for i := range a.f.Items {
		it := &a.f.Items[i]
		if it.Kind != KindSIP || it.ParseError == "" {
			continue
		}
		key := fault{it.Src, it.ParseError}
		n, ok := found[key]
		if !ok {
			n = len(out)
			found[key] = n
			out = append(out, Finding{
				Code: "malformed", Severity: SeverityWarning, Client: it.Src, Server: it.Dst,
				Text: fmt.Sprintf("%s sent messages that, as captured, break the grammar: %s.", a.named(it.Src), printable(it.ParseError)),
			})
		}
		out[n].Items = append(out[n].Items, i)
	}
	return out
}

// partly says that a limit cut the flow, so that what was found is of a part.
func (a *analysis) partly() []Finding {
	if a.f.Truncated == "" {
		return nil
	}
	return []Finding{{
		Code: "truncated", Severity: SeverityInfo, Items: []int{len(a.f.Items) - 1}, Client: -1, Server: -1,
		Text: "Only a part of the call was looked at (" + a.f.Truncated + "): what seems to be missing may lie behind it.",
	}}
}

// clocks says that agents' clocks disagree.
func (a *analysis) clocks() []Finding {
	if len(a.f.Clocks) == 0 {
		return nil
	}
	var names []string
	var items []int
	for _, c := range a.f.Clocks {
		names = append(names, printable(c.String()))
		for i := range a.f.Items {
			if it := &a.f.Items[i]; it.Node == c.Node && it.CaptureID == c.CaptureID {
				items = append(items, i)
				break
			}
		}
	}
	return []Finding{{Code: "clock_skew", Severity: SeverityInfo, Items: items, Client: -1, Server: -1,
		Text: "The capture agents' clocks disagree: " + strings.Join(names, ", ") + ". The messages are in order by one clock; their times are the agents' own."}}
}
