package query

import (
	"fmt"
	"strings"
	"time"
)

// giveUp is when SIP gives up on a request that nobody answers: 64*T1, timers B
// and F of RFC 3261 section 17.1. Agents' clocks and timers are not exact.
const giveUp = 31 * time.Second

// timerC is when a proxy gives up on a call that rings (RFC 3261 section 16.6).
const timerC = 3 * time.Minute

// ending says how it came to its end.
func (a *analysis) ending() []Finding {
	tries := a.tries()
	if len(tries) == 0 {
		return nil
	}
	last := tries[len(tries)-1]
	switch status := a.status(last); {
	case status == 0 && a.f.Call.Outcome == InProgress && a.cancelOf(last) < 0:
		return a.underWay(last)
	case status == 0:
		return a.unanswered(last)
	case status < 300:
		return a.answered(last)
	case status == 487 || a.cancelOf(last) >= 0 && status != 408:
		return a.cancelled(last)
	}
	return a.failed(last)
}

// deepest follows a transaction from hop to hop to where its fate was decided: to
// whom the failure came from, or who never answered.
func (a *analysis) deepest(t int) (path []int) {
	path = []int{t}
	for {
		tx := &a.f.Transactions[t]
		next, score := -1, 0
		for _, c := range a.children(t) {
			kid := &a.f.Transactions[c]
			if tx.Final >= 0 && kid.Request > tx.Final {
				continue
			}
			s := 0
			switch status := a.status(c); {
			case status == 0:
				s = 2
			case status == a.status(t):
				s = 4
			case status == 487 || status == 401 || status == 407:
				s = 1
			case status >= 300:
				s = 3
			}
			if s >= score && s > 0 { // of equals the last, which is nearest to the end
				next, score = c, s
			}
		}
		if next < 0 || len(path) > len(a.f.Transactions) {
			return path
		}
		t = next
		path = append(path, t)
	}
}

// failed explains a final failure.
func (a *analysis) failed(t int) []Finding {
	path := a.deepest(t)
	origin := path[len(path)-1]
	tx := &a.f.Transactions[origin]
	if tx.Final < 0 {
		return a.gaveUp(path)
	}
	it := &a.f.Items[tx.Final]
	if cancel := a.cancelOf(origin); it.Status == 487 && cancel >= 0 && len(path) > 1 {
		return []Finding{a.timedOut(path, cancel)}
	}
	r := refusalOf(it.Status)
	items := append(a.finals(path), tx.Request)
	text := fmt.Sprintf("%s answered the %s of %s with %s", a.named(tx.Server), tx.Method, a.who(tx.Client), a.label(tx.Final))
	if tx.Request >= 0 {
		text += lapse(" after ", a.between(tx.Request, tx.Final))
	}
	ring := a.ringing(origin)
	if it.Status == 480 && ring >= 0 && a.between(ring, tx.Final) >= time.Second {
		r.code, r.meaning = "no_answer", "nobody picked up" // it was there, and rang
	}
	text += ": " + r.meaning
	if ring >= 0 {
		text += lapse("; it had rung for ", a.between(ring, tx.Final))
		items = append(items, ring)
	}
	head := &a.heads[tx.Final]
	if it.Status < 400 {
		if to := head.uri("contact"); to != "" {
			text += ", at " + printable(to)
		}
	}
	if w := warningText(head); w != "" {
		text += "; its warning: " + w
	}
	if why := reasonText(head); why != "" {
		text += "; its reason: " + why
	}
	code := r.code
	if tx.Request >= 0 && a.credentials(tx.Request) != "" {
		switch it.Status {
		case 401, 407:
			code = "auth_rejected"
			text = strings.Replace(text, r.meaning, "it refused the credentials of the request", 1)
		case 403:
			code = "auth_rejected"
			text += "; the request had credentials, which it may have refused"
		}
	}
	out := []Finding{a.about(origin, code, r.severity, items, "%s.", text+a.translated(path))}
	if len(path) == 1 && len(a.children(origin)) == 0 && it.Status >= 400 && it.Status != 401 && it.Status != 407 && a.f.Call.Method == "INVITE" && a.isProxy(tx.Server) {
		out[0].Text = strings.TrimSuffix(out[0].Text, ".") + "; it asked nobody further."
	}
	return out
}

// timedOut explains a call that a proxy cancelled because nobody answered in time.
func (a *analysis) timedOut(path []int, cancel int) Finding {
	origin := path[len(path)-1]
	tx := &a.f.Transactions[origin]
	items := append(a.finals(path), tx.Request, cancel)
	text := fmt.Sprintf("No answer: %s", a.named(tx.Server))
	if ring := a.ringing(origin); ring >= 0 {
		text += " rang" + lapse(" for ", a.between(ring, cancel)) + " and did not answer"
		items = append(items, ring)
	} else {
		text += " neither rang nor answered"
	}
	text += fmt.Sprintf("; %s cancelled", a.who(tx.Client))
	if tx.Request >= 0 {
		text += lapse(" after ", a.between(tx.Request, cancel))
	}
	if why := reasonText(&a.heads[cancel]); why != "" {
		text += " (" + why + ")"
	}
	return a.about(origin, "no_answer", SeverityWarning, items, "%s.", text+a.translated(path))
}

// isProxy reports whether a participant passed requests on.
func (a *analysis) isProxy(p int) bool {
	for t := range a.f.Transactions {
		if tx := &a.f.Transactions[t]; tx.Client == p && tx.Parent >= 0 {
			return true
		}
	}
	return false
}

// finals lists the final responses along a path.
func (a *analysis) finals(path []int) []int {
	var out []int
	for _, t := range path {
		out = append(out, a.f.Transactions[t].Final)
	}
	return out
}

// translated says where a failure changed its status on the way back.
func (a *analysis) translated(path []int) string {
	text := ""
	for i := len(path) - 2; i >= 0; i-- {
		below, above := &a.f.Transactions[path[i+1]], &a.f.Transactions[path[i]]
		if below.Final >= 0 && above.Final >= 0 && a.status(path[i]) != a.status(path[i+1]) {
			text += fmt.Sprintf("; %s made it %s", a.who(above.Server), a.label(above.Final))
		}
	}
	return text
}

// gaveUp explains a failure that whoever passed the request on made himself,
// because the next hop never finished.
func (a *analysis) gaveUp(path []int) []Finding {
	origin := path[len(path)-1]
	tx, above := &a.f.Transactions[origin], &a.f.Transactions[path[len(path)-2]]
	f := a.stuck(origin)
	f.Items = append(f.Items, a.finals(path)...)
	f.Items = present(f.Items)
	after := ""
	if tx.Request >= 0 && above.Final >= 0 {
		d := a.between(tx.Request, above.Final)
		after = " after " + span(d)
		if d >= timerC-time.Second && a.ringing(origin) >= 0 {
			after += " (timer C)"
		}
	}
	verb := "gave up"
	if above.Final >= 0 {
		verb += " and answered " + a.label(above.Final)
	}
	f.Text = strings.TrimSuffix(f.Text, ".") + fmt.Sprintf("; %s %s%s%s.", a.who(tx.Client), verb, after, a.translated(path[:len(path)-1]))
	return []Finding{f}
}

// stuck explains a transaction that got no final response.
func (a *analysis) stuck(t int) Finding {
	tx := &a.f.Transactions[t]
	requests := a.requests(t)
	if ring := a.ringing(t); ring >= 0 {
		last := a.provisional(t)
		return a.about(t, "no_answer", SeverityWarning, append(requests, ring, last),
			"No answer: %s rang (%s) and never sent a final response to the %s of %s.", a.named(tx.Server), a.label(last), tx.Method, a.who(tx.Client))
	}
	if len(requests) == 0 {
		return a.about(t, "no_request", SeverityWarning, tx.Items, "The %s of %s to %s was not captured, nor a final response to it.", tx.Method, a.who(tx.Client), a.who(tx.Server))
	}
	took := a.between(requests[0], requests[len(requests)-1])
	how := times(len(requests))
	if len(requests) > 1 {
		how += lapse(" in ", took)
	}
	for _, i := range tx.Items {
		if s := a.f.Items[i].Status; s > 0 && s < 200 {
			return a.about(t, "no_final", SeverityError, append(requests, i), "%s took the %s of %s (%s), and never sent a final response.", a.named(tx.Server), tx.Method, a.who(tx.Client), a.label(i))
		}
	}
	code, timer := "no_response", ""
	if took >= giveUp || len(requests) >= 7 && tx.Method == "INVITE" || len(requests) >= 11 {
		code = "timer_f"
		timer = ": timer F ran out"
		if tx.Method == "INVITE" {
			code, timer = "timer_b", ": timer B ran out"
		}
	}
	why := "It was lost on this hop, or " + a.who(tx.Server) + " is down"
	if wrong := a.f.Items[requests[0]].ParseError; wrong != "" {
		why = fmt.Sprintf("It breaks the grammar (%s), for which %s may have thrown it away; else it was lost on this hop, or %s is down", wrong, a.who(tx.Server), a.who(tx.Server))
	}
	return a.about(t, code, SeverityError, requests, "Nobody responded: %s sent the %s to %s %s and got nothing back%s. %s.",
		a.who(tx.Client), tx.Method, a.who(tx.Server), how, timer, why)
}

// underWay says how far a call has got that is being set up now.
func (a *analysis) underWay(t int) []Finding {
	path := a.deepest(t)
	last := path[len(path)-1]
	tx := &a.f.Transactions[last]
	items := []int{a.f.Transactions[t].Request, tx.Request}
	said := "has not answered yet"
	if ring := a.ringing(last); ring >= 0 {
		said = "rings (" + a.label(ring) + ")"
		items = append(items, ring)
	}
	if items = present(items); len(items) == 0 {
		items = tx.Items
	}
	return []Finding{a.about(last, "in_progress", SeverityInfo, items, "The call is being set up: %s %s.", a.named(tx.Server), said)}
}

// unanswered explains a request that never got a final response.
func (a *analysis) unanswered(t int) []Finding {
	path := a.deepest(t)
	if cancel := a.cancelOf(t); cancel >= 0 {
		out := a.cancelled(t)
		out[0].Text = strings.TrimSuffix(out[0].Text, ".") + "; no final response followed."
		return out
	}
	f := a.stuck(path[len(path)-1])
	if len(path) > 1 {
		f.Items = append(f.Items, a.f.Transactions[t].Request)
	}
	return []Finding{f}
}

// cancelOf is the CANCEL to a transaction; -1 without one.
func (a *analysis) cancelOf(t int) int {
	tx := &a.f.Transactions[t]
	for _, c := range a.asked[request{tx.Leg, "CANCEL", tx.CSeq}] {
		one := &a.f.Transactions[c]
		if one.Branch == tx.Branch && one.Client == tx.Client && one.Request >= 0 {
			return one.Request
		}
	}
	return -1
}

// cancelled explains a call that was given up before it was answered.
func (a *analysis) cancelled(t int) []Finding {
	tx := &a.f.Transactions[t]
	cancel, by := a.cancelOf(t), t
	if cancel < 0 { // not by the caller: somebody on the way
		for _, c := range a.deepest(t)[1:] {
			if cancel = a.cancelOf(c); cancel >= 0 {
				by = c
				break
			}
		}
	}
	if cancel < 0 {
		return []Finding{a.about(t, "cancelled", SeverityWarning, []int{tx.Request, tx.Final}, "%s answered the %s of %s with %s, though no CANCEL was captured.", a.named(tx.Server), tx.Method, a.who(tx.Client), a.label(tx.Final))}
	}
	who := "The caller, " + a.named(tx.Client) + ","
	if by != t {
		who = a.named(a.f.Transactions[by].Client) + ", on the way,"
	}
	items := []int{tx.Request, cancel, tx.Final}
	text := who + " cancelled"
	if req := a.f.Transactions[by].Request; req >= 0 {
		text += lapse(" after ", a.between(req, cancel))
	}
	if ring := a.ringing(t); ring >= 0 && ring < cancel {
		if rang := lapse(", of which it rang for ", a.between(ring, cancel)); rang != "" {
			text += rang
		} else {
			text += ", while it rang"
		}
		items = append(items, ring)
	} else {
		text += ", before it rang"
	}
	if why := reasonText(&a.heads[cancel]); why != "" {
		text += "; the reason given: " + why
	}
	return []Finding{a.about(by, "cancelled", SeverityWarning, items, "%s.", text)}
}

// answered says how an answered call ended.
func (a *analysis) answered(t int) []Finding {
	tx := &a.f.Transactions[t]
	if tx.Method != "INVITE" {
		return []Finding{a.about(t, "answered", SeverityInfo, []int{tx.Request, tx.Final}, "%s answered the %s of %s with %s.", a.named(tx.Server), tx.Method, a.who(tx.Client), a.label(tx.Final))}
	}
	text := "Answered"
	if tx.Request >= 0 {
		text += lapse(" after ", a.between(tx.Request, tx.Final))
	}
	for b := range a.f.Transactions {
		bye := &a.f.Transactions[b]
		if bye.Method != "BYE" || bye.Parent >= 0 || bye.Request < 0 {
			continue
		}
		by := "the called party"
		if a.heads[bye.Request].tag("from") == a.heads[max(tx.Request, tx.Final)].tag("from") && bye.Leg == tx.Leg {
			by = "the caller"
		}
		text += fmt.Sprintf("; %s, %s, hung up", by, a.named(bye.Client))
		if after := lapse(" ", a.between(tx.Final, bye.Request)); after != "" {
			text += after + " later"
		}
		return []Finding{a.about(t, "answered", SeverityInfo, []int{tx.Request, tx.Final, bye.Request}, "%s.", text)}
	}
	return []Finding{a.about(t, "no_bye", SeverityInfo, []int{tx.Request, tx.Final}, "%s; no BYE was captured: the call goes on, or its end was missed.", text)}
}

// warningText is the text of a Warning header (RFC 3261 section 20.43).
func warningText(h *sipHead) string {
	value := h.get("warning")
	if _, text, ok := strings.Cut(value, `"`); ok {
		code, _, _ := strings.Cut(value, " ")
		text, _, _ = strings.Cut(text, `"`)
		return strings.TrimSpace(code + " " + printable(text))
	}
	return printable(value)
}

// reasonText puts the Reason headers into words (RFC 3326).
func reasonText(h *sipHead) string {
	var out []string
	for _, value := range h.all("reason") {
		protocol, _ := cutUnquoted(value, ';')
		cause := parameter(value, "cause", ';')
		text := parameter(value, "text", ';')
		one := strings.TrimSpace(protocol + " " + cause)
		if text == "" && strings.EqualFold(protocol, "Q.850") {
			text = Q850Text(cause)
		}
		if text != "" {
			one += " (" + text + ")"
		}
		out = append(out, printable(one))
	}
	return strings.Join(out, ", ")
}
