package query

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// loops looks for a request that passed the same hop again, farther on its way.
func (a *analysis) loops() []Finding {
	type way struct {
		leg, client, server int
		method, uri         string
		cseq                uint32
	}
	passed := map[way][]int{}
	var order []way
	for t := range a.f.Transactions {
		tx := &a.f.Transactions[t]
		if tx.Request < 0 || tx.Method == "ACK" || tx.Method == "CANCEL" || tx.Client == tx.Server {
			continue
		}
		w := way{tx.Leg, tx.Client, tx.Server, tx.Method, a.heads[tx.Request].requestURI(), tx.CSeq}
		if _, ok := passed[w]; !ok {
			order = append(order, w)
		}
		passed[w] = append(passed[w], t)
	}
	var out []Finding
	for _, w := range order {
		var items []int
		left, first := -1, -1
		for _, t := range passed[w] {
			request := a.f.Transactions[t].Request
			hops := a.heads[request].number("max-forwards")
			// Forks of one proxy have the same number; a loop has fewer each time.
			if first < 0 || hops >= 0 && hops < left {
				items = append(items, request)
			}
			if first < 0 {
				first = t
			}
			left = hops
		}
		if len(items) > 1 {
			out = append(out, a.about(first, "loop", SeverityError, items, "Loop: the %s to %s went from %s to %s %s, Max-Forwards falling to %d: routing sends it back.",
				w.method, quoted(w.uri), a.who(w.client), a.who(w.server), times(len(items)), left))
		}
	}
	return out
}

// missingAcks looks for answers to INVITE that nobody confirmed.
func (a *analysis) missingAcks() []Finding {
	var out []Finding
	for t := range a.f.Transactions {
		tx := &a.f.Transactions[t]
		if tx.Method != "INVITE" || tx.Final < 0 || tx.Ack >= 0 || len(a.children(t)) > 0 && a.status(t) < 300 {
			continue // of a 2xx the last hop speaks, where the answer comes from
		}
		var finals []int
		for _, i := range tx.Items {
			if it := &a.f.Items[i]; it.Status == a.status(t) && !it.Copy {
				finals = append(finals, i)
			}
		}
		if a.status(t) < 300 && a.acknowledgedAnyhow(tx) {
			continue
		}
		took := a.between(finals[0], finals[len(finals)-1])
		if a.status(t) >= 300 && len(finals) == 1 {
			continue // capture agents leave these ACKs out at times
		}
		if len(finals) == 1 && a.at(len(a.f.Items)-1).Sub(a.at(tx.Final)) < time.Second {
			continue // it may yet come
		}
		text := fmt.Sprintf("No ACK: %s sent %s to %s %s", a.named(tx.Server), a.label(tx.Final), a.who(tx.Client), times(len(finals)))
		if len(finals) > 1 {
			text += lapse(" in ", took)
		}
		text += ", and no ACK was captured"
		if took >= giveUp {
			text += ": timer H ran out"
		}
		severity := SeverityError
		if len(finals) == 1 {
			severity = SeverityWarning
		}
		out = append(out, a.about(t, "missing_ack", severity, append(finals, tx.Request), "%s.", text))
	}
	return out
}

// acknowledgedAnyhow reports whether an ACK for the answer was seen on any hop.
func (a *analysis) acknowledgedAnyhow(tx *Transaction) bool {
	for i := range a.f.Items {
		if it := &a.f.Items[i]; it.Method == "ACK" && it.Leg == tx.Leg && it.CSeq == tx.CSeq && i > tx.Final {
			return true
		}
	}
	return false
}

// failedReinvites looks for changes of a running call that were refused.
func (a *analysis) failedReinvites() []Finding {
	var out []Finding
	for t := range a.f.Transactions {
		tx := &a.f.Transactions[t]
		if tx.Method != "INVITE" && tx.Method != "UPDATE" || tx.Parent >= 0 || tx.Request < 0 || a.heads[tx.Request].tag("to") == "" {
			continue
		}
		name := "re-INVITE"
		if tx.Method == "UPDATE" {
			name = "UPDATE"
		}
		switch status := a.status(t); {
		case status == 0:
			if a.f.Call.Outcome != InProgress {
				out = append(out, a.about(t, "reinvite_unanswered", SeverityWarning, a.requests(t), "The %s of %s to %s got no final response.", name, a.named(tx.Client), a.who(tx.Server)))
			}
		case status == 491:
			out = append(out, a.about(t, "glare", SeverityInfo, []int{tx.Request, tx.Final}, "Both sides changed the call at once: %s answered the %s of %s with %s.", a.named(tx.Server), name, a.who(tx.Client), a.label(tx.Final)))
		case status >= 300 && status != 401 && status != 407:
			// Who refused it, not who passed that on.
			path := a.deepest(t)
			for len(path) > 1 && a.status(path[len(path)-1]) < 300 {
				path = path[:len(path)-1]
			}
			origin := path[len(path)-1]
			final := a.f.Transactions[origin].Final
			out = append(out, a.about(origin, "reinvite_failed", SeverityWarning, append(a.finals(path), tx.Request), "The %s of %s was refused by %s with %s: %s.", name, a.who(tx.Client),
				a.named(a.f.Transactions[origin].Server), a.label(final), refusalOf(a.f.Items[final].Status).meaning+a.translated(path)))
		}
	}
	return out
}

// byes looks for ends of calls that the other side did not confirm.
func (a *analysis) byes() []Finding {
	var out []Finding
	for t := range a.f.Transactions {
		tx := &a.f.Transactions[t]
		if tx.Method != "BYE" || tx.Request < 0 {
			continue
		}
		status := a.status(t)
		if status > 0 && (status < 300 || status == 401 || status == 407 || len(a.children(t)) > 0 && a.passedOn(t, tx.Final) >= 0) {
			continue
		}
		requests := a.requests(t)
		if status == 408 && slices.ContainsFunc(a.children(t), func(c int) bool { return a.status(c) == 0 }) {
			continue // the next hop's finding says it
		}
		switch {
		case status > 0:
			meaning := refusalOf(status).meaning
			out = append(out, a.about(t, "bye_failed", SeverityWarning, append(requests, tx.Final), "%s answered the BYE of %s with %s: %s.", a.named(tx.Server), a.who(tx.Client), a.label(tx.Final), meaning))
		case a.at(len(a.f.Items)-1).Sub(a.at(requests[0])) >= time.Second || len(requests) > 1:
			out = append(out, a.about(t, "bye_unanswered", SeverityWarning, requests, "%s sent the BYE to %s %s and got no answer: that side may hold the call still.", a.named(tx.Client), a.who(tx.Server), times(len(requests))))
		}
	}
	return out
}

// stormFrom is how many retransmissions on one hop make a storm: timers allow
// about ten for a message that nobody answers.
const stormFrom = 10

// retransmissions sums them up by hop.
func (a *analysis) retransmissions() []Finding {
	type hop struct{ client, server int }
	resent := map[hop][]int{}
	var order []hop
	for i := range a.f.Items {
		it := &a.f.Items[i]
		if !it.Retransmission || it.Copy || it.Transaction < 0 {
			continue
		}
		h := hop{it.Src, it.Dst}
		if _, ok := resent[h]; !ok {
			order = append(order, h)
		}
		resent[h] = append(resent[h], i)
	}
	var out []Finding
	for _, h := range order {
		items := resent[h]
		what := map[string]bool{}
		var names []string
		for _, i := range items {
			if n := a.label(i); !what[n] {
				what[n] = true
				names = append(names, n)
			}
		}
		f := Finding{Code: "retransmissions", Severity: SeverityInfo, Items: items, Client: h.client, Server: h.server}
		count := "1 message"
		if len(items) > 1 {
			count = strconv.Itoa(len(items)) + " messages"
		}
		f.Text = fmt.Sprintf("%s sent %s to %s again (%s): packets were lost between them, or answers are slow.", a.named(h.client), count, a.who(h.server), strings.Join(names, ", "))
		if len(items) >= stormFrom {
			f.Code, f.Severity = "retransmission_storm", SeverityWarning
			f.Text = fmt.Sprintf("Retransmission storm: %s sent %s to %s again in %s (%s).", a.named(h.client), count, a.who(h.server), span(a.between(items[0], items[len(items)-1])), strings.Join(names, ", "))
		}
		out = append(out, f)
	}
	return out
}

// slowFrom is the post-dial delay from which callers think that nothing happens
// (ITU-T E.721 wants 5 s on average for long ways).
const slowFrom = 5 * time.Second

// slowSetup looks for a long time until the other side rings, and where it went.
func (a *analysis) slowSetup() []Finding {
	tries := a.tries()
	if len(tries) == 0 || a.f.Transactions[tries[0]].Method != "INVITE" {
		return nil
	}
	last := tries[len(tries)-1]
	first, ring := a.f.Transactions[tries[0]].Request, a.ringing(last)
	if first < 0 || ring < 0 || a.between(first, ring) < slowFrom {
		return nil
	}
	t, items := last, []int{first, ring}
	// The hop farthest on that rang as late.
	for next := true; next; {
		next = false
		for _, c := range a.children(t) {
			if r := a.ringing(c); r >= 0 && r < ring && a.between(a.f.Transactions[c].Request, r) > a.between(first, ring)/2 {
				t, next = c, true
				items = append(items, a.f.Transactions[c].Request, r)
				break
			}
		}
	}
	return []Finding{a.about(t, "high_pdd", SeverityWarning, items, "It took %s until it rang; most of it passed at %s.", span(a.between(first, ring)), a.named(a.f.Transactions[t].Server))}
}

// forks looks for calls that rang in several places.
func (a *analysis) forks() []Finding {
	var out []Finding
	for t := range a.f.Transactions {
		tx := &a.f.Transactions[t]
		if tx.Method != "INVITE" || tx.Request < 0 {
			continue
		}
		var kids []int
		for _, c := range a.children(t) {
			if kid := &a.f.Transactions[c]; kid.Leg == tx.Leg && kid.Client == tx.Server {
				kids = append(kids, c)
			}
		}
		if len(kids) < 2 {
			continue
		}
		var results []string
		var items []int
		for _, c := range kids {
			kid := &a.f.Transactions[c]
			result := "no final response"
			if kid.Final >= 0 {
				result = a.label(kid.Final)
			}
			results = append(results, a.who(kid.Server)+" "+result)
			items = append(items, kid.Request, kid.Final)
		}
		out = append(out, a.about(t, "forked", SeverityInfo, items, "%s tried %d places: %s.", a.named(tx.Server), len(kids), strings.Join(results, ", ")))
	}
	return out
}

// transfers says how REFERs came out (RFC 3515).
func (a *analysis) transfers() []Finding {
	var out []Finding
	for t := range a.f.Transactions {
		tx := &a.f.Transactions[t]
		if tx.Method != "REFER" || tx.Parent >= 0 || tx.Request < 0 {
			continue
		}
		items := []int{tx.Request, tx.Final}
		to := printable(a.heads[tx.Request].uri("refer-to"))
		if s := a.status(t); s == 0 || s >= 300 {
			said := "got no answer"
			if s >= 300 {
				said = "was refused with " + a.label(tx.Final)
			}
			out = append(out, a.about(t, "transfer_failed", SeverityWarning, items, "The transfer by %s to %s %s.", a.named(tx.Client), to, said))
			continue
		}
		status, notify := a.notified(tx)
		items = append(items, notify)
		code, severity, said := "transferred", SeverityInfo, "was accepted; nothing was captured of how it went"
		switch {
		case status >= 300:
			code, severity, said = "transfer_failed", SeverityWarning, fmt.Sprintf("was accepted and failed: the new party answered %d", status)
		case status >= 200:
			said = fmt.Sprintf("succeeded: the new party answered %d", status)
		case status > 0:
			said = fmt.Sprintf("was accepted; the last that was reported is %d", status)
		}
		out = append(out, a.about(t, code, severity, items, "The transfer by %s to %s %s.", a.named(tx.Client), to, said))
	}
	return out
}

// notified is the last status that NOTIFYs reported of a REFER, and its item.
func (a *analysis) notified(tx *Transaction) (status, item int) {
	item = -1
	for i := range a.f.Items {
		it := &a.f.Items[i]
		if it.Method != "NOTIFY" || it.Leg != tx.Leg || i < tx.Request {
			continue
		}
		line, _, _ := strings.Cut(strings.TrimSpace(a.heads[i].body), "\n")
		if fields := strings.Fields(line); len(fields) >= 2 && strings.HasPrefix(fields[0], "SIP/") {
			if n, err := strconv.Atoi(fields[1]); err == nil {
				status, item = n, i
			}
		}
	}
	return status, item
}

// sessionTimer looks for calls that the session timer ended (RFC 4028).
func (a *analysis) sessionTimer() []Finding {
	for t := range a.f.Transactions {
		tx := &a.f.Transactions[t]
		if tx.Method != "BYE" || tx.Parent >= 0 || tx.Request < 0 {
			continue
		}
		reason := strings.ToLower(a.heads[tx.Request].get("reason"))
		if strings.Contains(reason, "session") && (strings.Contains(reason, "expir") || strings.Contains(reason, "timer") || strings.Contains(reason, "timeout")) {
			return []Finding{a.about(t, "session_expired", SeverityWarning, []int{tx.Request}, "The session timer ran out: %s ended the call (%s).", a.named(tx.Client), printable(a.heads[tx.Request].get("reason")))}
		}
		expires, refreshed := a.refreshed(tx)
		if expires <= 0 || refreshed < 0 {
			continue
		}
		// RFC 4028 section 10: BYE a third of the interval, or 32 s, before its end.
		interval, since := time.Duration(expires)*time.Second, a.between(refreshed, tx.Request)
		if early := interval - max(32*time.Second, interval/3); since >= early && since >= interval*2/3-time.Second && since <= interval+2*time.Second && interval >= 30*time.Second {
			return []Finding{a.about(t, "session_expired", SeverityInfo, []int{refreshed, tx.Request}, "%s ended the call %s after its last refresh, Session-Expires being %d s: the session timer may have run out.", a.named(tx.Client), span(since), expires)}
		}
	}
	return nil
}

// refreshed is the last Session-Expires agreed on before a BYE and the item with it.
func (a *analysis) refreshed(bye *Transaction) (expires, item int) {
	item = -1
	for i := range a.f.Items {
		it := &a.f.Items[i]
		if i >= bye.Request {
			break
		}
		if it.Leg == bye.Leg && it.Status >= 200 && it.Status < 300 && (it.CSeqMethod == "INVITE" || it.CSeqMethod == "UPDATE") {
			if n := a.heads[i].number("session-expires"); n > 0 {
				expires, item = n, i
			}
		}
	}
	return expires, item
}

// releaseReasons puts the Reason headers of BYEs into words.
func (a *analysis) releaseReasons() []Finding {
	var out []Finding
	said := map[string]bool{}
	for t := range a.f.Transactions {
		tx := &a.f.Transactions[t]
		if tx.Method != "BYE" || tx.Request < 0 {
			continue
		}
		why := reasonText(&a.heads[tx.Request])
		if why == "" || said[why] {
			continue
		}
		said[why] = true
		severity := SeverityInfo
		for _, value := range a.heads[tx.Request].all("reason") {
			if cause := parameter(value, "cause", ';'); strings.HasPrefix(strings.ToUpper(value), "Q.850") && cause != "16" && cause != "17" && cause != "31" {
				severity = SeverityWarning
			}
		}
		out = append(out, a.about(t, "release_reason", severity, []int{tx.Request}, "The BYE of %s gives its reason: %s.", a.named(tx.Client), why))
	}
	return out
}
