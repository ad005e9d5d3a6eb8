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

// refusal is what a failure status means.
type refusal struct {
	code     string
	severity Severity
	meaning  string
}

// refusals by status (RFC 3261 section 21 and the IANA registry of response codes).
var refusals = map[uint16]refusal{
	300: {"redirected", SeverityInfo, "it offers several other places"},
	301: {"redirected", SeverityInfo, "it has moved for good"},
	302: {"redirected", SeverityInfo, "it is elsewhere for now"},
	305: {"redirected", SeverityInfo, "a proxy must be used"},
	380: {"redirected", SeverityInfo, "another service is offered"},
	400: {"bad_request", SeverityError, "it could not make sense of the request"},
	401: {"auth_missing", SeverityError, "it wants credentials"},
	402: {"payment_required", SeverityError, "the account has no credit"},
	403: {"forbidden", SeverityError, "it understood and will not do it: check rights, credentials and numbers allowed"},
	404: {"not_found", SeverityError, "it does not know the user or number"},
	405: {"method_not_allowed", SeverityError, "it does not take this method here"},
	406: {"not_acceptable", SeverityError, "it can make no answer that the Accept header allows"},
	407: {"auth_missing", SeverityError, "it wants credentials"},
	408: {"timeout", SeverityError, "it found nobody in time"},
	410: {"gone", SeverityError, "the user is gone for good"},
	413: {"too_large", SeverityError, "the message is too large for it"},
	414: {"too_large", SeverityError, "the Request-URI is too long for it"},
	415: {"media_type", SeverityError, "it does not take this content type"},
	416: {"uri_scheme", SeverityError, "it does not take this kind of URI"},
	420: {"bad_extension", SeverityError, "it lacks an extension that the Require header demands"},
	421: {"extension_required", SeverityError, "it demands an extension that was not offered"},
	422: {"session_interval", SeverityError, "the Session-Expires is too short for it"},
	423: {"interval_too_brief", SeverityError, "the registration is too short for it"},
	428: {"identity", SeverityError, "it demands an Identity header"},
	433: {"anonymity", SeverityError, "it takes no anonymous calls"},
	436: {"identity", SeverityError, "it could not read the Identity information"},
	437: {"identity", SeverityError, "it does not trust the certificate of the Identity header"},
	438: {"identity", SeverityError, "the Identity header did not verify"},
	480: {"unavailable", SeverityWarning, "the called party is not registered, or does not take calls now"},
	481: {"no_dialog", SeverityError, "it knows no such call"},
	482: {"loop", SeverityError, "the request came back to it"},
	483: {"loop", SeverityError, "Max-Forwards ran out: the request went round, or through too many hops"},
	484: {"incomplete", SeverityError, "the number is incomplete"},
	485: {"ambiguous", SeverityError, "the number is ambiguous"},
	486: {"busy", SeverityWarning, "the called party is busy"},
	487: {"cancelled", SeverityWarning, "the request was cancelled"},
	488: {"codec_refused", SeverityError, "it cannot do the media offered: compare codecs, SRTP and ptime of the SDP"},
	489: {"bad_event", SeverityError, "it does not know the event package"},
	491: {"glare", SeverityWarning, "it was waiting for an answer of its own"},
	493: {"undecipherable", SeverityError, "it could not decrypt the body"},
	494: {"security", SeverityError, "it demands a security agreement"},
	500: {"server_error", SeverityError, "something broke inside it"},
	501: {"not_implemented", SeverityError, "it cannot do this method"},
	502: {"bad_gateway", SeverityError, "what stands behind it answered nonsense, or not at all"},
	503: {"service_unavailable", SeverityError, "it is overloaded, in maintenance, or has no way on"},
	504: {"gateway_timeout", SeverityError, "what stands behind it did not answer in time"},
	505: {"version", SeverityError, "it does not take this version of SIP"},
	513: {"too_large", SeverityError, "the message is too large for it"},
	555: {"push", SeverityError, "it does not know the push service"},
	580: {"precondition", SeverityError, "the resources for the media could not be reserved"},
	600: {"busy", SeverityWarning, "the called party is busy everywhere"},
	603: {"declined", SeverityWarning, "the called party declined"},
	604: {"not_found", SeverityError, "the called party exists nowhere"},
	606: {"codec_refused", SeverityError, "the called party's equipment cannot do the media offered"},
	607: {"unwanted", SeverityWarning, "the called party does not want such calls"},
	608: {"rejected", SeverityWarning, "a screening service rejected the call"},
}

// refusalOf is what a status means, by its class where it is not known.
func refusalOf(status uint16) refusal {
	if r, ok := refusals[status]; ok {
		return r
	}
	switch {
	case status < 400:
		return refusal{"redirected", SeverityInfo, "it is to be found elsewhere"}
	case status < 500:
		return refusal{"refused", SeverityError, "it refused the request"}
	case status < 600:
		return refusal{"server_error", SeverityError, "it failed to do what was asked"}
	}
	return refusal{"declined", SeverityWarning, "the called party refused"}
}

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
		text += " after " + span(a.between(tx.Request, tx.Final))
	}
	text += ": " + r.meaning
	if ring := a.ringing(origin); ring >= 0 {
		text += "; it had rung for " + span(a.between(ring, tx.Final))
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
		text += " rang for " + span(a.between(ring, cancel)) + " and did not answer"
		items = append(items, ring)
	} else {
		text += " neither rang nor answered"
	}
	text += fmt.Sprintf("; %s cancelled", a.who(tx.Client))
	if tx.Request >= 0 {
		text += " after " + span(a.between(tx.Request, cancel))
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
		how += " in " + span(took)
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
	return a.about(t, code, SeverityError, requests, "Nobody responded: %s sent the %s to %s %s and got nothing back%s. It was lost on this hop, or %s is down.",
		a.who(tx.Client), tx.Method, a.who(tx.Server), how, timer, a.who(tx.Server))
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
		text += " after " + span(a.between(req, cancel))
	}
	if ring := a.ringing(t); ring >= 0 && ring < cancel {
		text += ", of which it rang for " + span(a.between(ring, cancel))
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
		text += " after " + span(a.between(tx.Request, tx.Final))
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
		text += fmt.Sprintf("; %s, %s, hung up %s later", by, a.named(bye.Client), span(a.between(tx.Final, bye.Request)))
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
