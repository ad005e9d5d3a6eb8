package ladder

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/heplake/heplake/query"
)

// Why says in one line how the call ended and who ended it: "486 Busy Here from
// 10.0.0.3:5080 after 106 ms of ringing", "no final response; last was 180
// Ringing from 10.0.0.3:5080".
func Why(f *query.Flow) string { return strings.Join(reasons(f), ", ") }

// reasons is how the call ended, and the cause that ISDN gave for it if any.
func reasons(f *query.Flow) []string {
	c := &f.Call
	out := []string{ending(f)}
	if c.Q850 != 0 && (c.Outcome == query.Failed || c.Outcome == query.Cancelled || c.Outcome == query.Answered) {
		cause := fmt.Sprintf("Q.850 cause %d", c.Q850)
		if name := query.Q850Text(strconv.Itoa(int(c.Q850))); name != "" {
			cause += " (" + name + ")"
		}
		out = append(out, cause)
	}
	return out
}

func ending(f *query.Flow) string {
	c := &f.Call
	switch c.Outcome {
	case query.Failed:
		return failure(f) + ringing(f)
	case query.Cancelled:
		return cancellation(f) + ringing(f)
	case query.Unanswered:
		return unanswered(f)
	case query.InProgress:
		if c.DurationS != nil {
			return "up for " + Duration(seconds(*c.DurationS)) + ", no BYE seen"
		}
		return "no final response yet"
	}
	if c.Method != "INVITE" {
		return statusLine(f) + from(f, finalResponse(f))
	}
	return release(f)
}

// finalResponse is the first item that carried the final status: the hop that
// sent it is where it came from, the later ones only passed it on.
func finalResponse(f *query.Flow) *query.Item {
	c := &f.Call
	for i := range f.Items {
		it := &f.Items[i]
		if it.Kind == query.KindSIP && c.FinalStatus != 0 && it.Status == c.FinalStatus && it.CSeqMethod == c.Method {
			return it
		}
	}
	return nil
}

func statusLine(f *query.Flow) string {
	if f.Call.FinalStatus == 0 {
		return "answered"
	}
	return clean(fmt.Sprintf("%d %s", f.Call.FinalStatus, f.Call.FinalReason))
}

func from(f *query.Flow, it *query.Item) string {
	if it == nil || it.Src < 0 || it.Src >= len(f.Participants) {
		return ""
	}
	return " from " + clean(f.Participants[it.Src].Address)
}

func failure(f *query.Flow) string {
	if f.Call.FinalStatus == 0 {
		return "failed"
	}
	return statusLine(f) + from(f, finalResponse(f))
}

func cancellation(f *query.Flow) string {
	for i := range f.Items {
		if it := &f.Items[i]; it.Method == "CANCEL" {
			return "CANCEL" + from(f, it)
		}
	}
	return failure(f)
}

// ringing tells how long the callee was alerted before the call came to
// nothing. Less than the time people can hear is no ringing.
func ringing(f *query.Flow) string {
	if f.Call.RingMs == nil || f.Call.Method != "INVITE" {
		return ""
	}
	return " after " + Duration(millis(*f.Call.RingMs)) + " of ringing"
}

func unanswered(f *query.Flow) string {
	c := &f.Call
	requests := 0
	var to, last *query.Item
	for i := range f.Items {
		switch it := &f.Items[i]; {
		case it.Kind != query.KindSIP || it.Copy:
		case it.Method == c.Method:
			if to == nil {
				to = it
			}
			if it.Src == to.Src && it.Dst == to.Dst {
				requests++
			}
		case it.Status > 0 && it.Status < 200 && it.CSeqMethod == c.Method:
			last = it
		}
	}
	if last != nil {
		return "no final response; last was " + clean(last.Label) + from(f, last)
	}
	s := "no response to " + clean(c.Method)
	if to == nil || to.Dst < 0 || to.Dst >= len(f.Participants) {
		return s
	}
	s += " sent to " + clean(f.Participants[to.Dst].Address)
	if requests > 1 {
		s += fmt.Sprintf(" %d times", requests)
	}
	return s
}

func release(f *query.Flow) string {
	c := &f.Call
	var s string
	switch c.ReleasedBy {
	case "":
		s = "answered"
	default:
		s = "released by " + clean(c.ReleasedBy)
	}
	for i := range f.Items {
		if it := &f.Items[i]; it.Method == "BYE" {
			s += ": BYE" + from(f, it)
			break
		}
	}
	if c.DurationS != nil {
		s += " after " + Duration(seconds(*c.DurationS))
	}
	return s + unconfirmed(f)
}

// unconfirmed says that the BYE got no 2xx: the other side may still hold the
// call.
func unconfirmed(f *query.Flow) string {
	sent := false
	failed := ""
	for i := range f.Items {
		switch it := &f.Items[i]; {
		case it.Method == "BYE":
			sent = true
		case it.CSeqMethod != "BYE" || it.Status < 200:
		case it.Status < 300:
			return ""
		case failed == "" && it.Status != 401 && it.Status != 407:
			failed = ", answered " + clean(it.Label)
		}
	}
	if sent && failed == "" {
		return ", never answered"
	}
	return failed
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// party is user@domain, or the part that is known.
func party(user, domain string) string {
	user, domain = clean(user), clean(domain)
	switch {
	case user == "" && domain == "":
		return "?"
	case user == "":
		return domain
	case domain == "":
		return user
	}
	return user + "@" + domain
}

// title is who called whom, with the method unless it is an INVITE and with the
// number dialled where it is not the one in To.
func title(c *query.Call) (method, parties string) {
	if c.Method != "INVITE" {
		method = clean(c.Method)
	}
	parties = party(c.FromUser, c.FromDomain) + " → " + party(c.ToUser, c.ToDomain)
	if c.RURIUser != "" && c.RURIUser != c.ToUser {
		parties += " (dialled " + clean(c.RURIUser) + ")"
	}
	return method, parties
}

// fact is a line of the summary: a short name and its values, in order.
type fact struct {
	name   string
	values []string
}

// facts are the lines of the summary below the title. A value that is not
// known leaves no trace.
func (m *model) facts(start string) []fact {
	c := &m.flow.Call
	timing := []string{start}
	add := func(name string, ms *float64) {
		if ms != nil {
			timing = append(timing, name+" "+Duration(millis(*ms)))
		}
	}
	add("PDD", c.PDDMs)
	add("ring", c.RingMs)
	if c.DurationS != nil {
		timing = append(timing, "duration "+Duration(seconds(*c.DurationS)))
	}
	out := []fact{{"why", reasons(m.flow)}, {"start", timing}}
	if media := mediaFacts(c); len(media) > 0 {
		out = append(out, fact{"media", media})
	}
	seen := []string{plural(c.Messages, "message")}
	if c.Retransmissions > 0 {
		seen = append(seen, fmt.Sprintf("%d retransmitted", c.Retransmissions))
	}
	if c.Hops > 0 {
		seen = append(seen, plural(c.Hops, "hop"))
	}
	if len(c.Nodes) > 0 {
		word := "agent "
		if len(c.Nodes) > 1 {
			word = "agents "
		}
		seen = append(seen, word+clean(strings.Join(c.Nodes, ", ")))
	}
	out = append(out, fact{"seen", seen})
	if m.flow.Truncated != "" {
		out = append(out, fact{"cut", []string{clean(m.flow.Truncated)}})
	}
	return out
}

func mediaFacts(c *query.Call) []string {
	var out []string
	if len(c.Codecs) > 0 {
		out = append(out, clean(strings.Join(c.Codecs, ", ")))
	}
	if c.MOSAvg != nil {
		mos := "MOS " + float(*c.MOSAvg, 2)
		if c.MOSMin != nil && *c.MOSMin < *c.MOSAvg {
			mos += " (lowest " + float(*c.MOSMin, 2) + ")"
		}
		out = append(out, mos)
	}
	if c.LossPercent != nil {
		out = append(out, "loss "+float(*c.LossPercent, 1)+" %")
	}
	if c.JitterMs != nil {
		out = append(out, "jitter "+float(*c.JitterMs, 1)+" ms")
	}
	return out
}

// linked says why a leg belongs to the call.
func linked(l *query.Leg) string {
	switch l.LinkedBy {
	case "":
		return ""
	case "asked":
		return "asked for"
	case "likeness":
		if l.Reason == "" {
			return "alike in time, numbers or media"
		}
		return fmt.Sprintf("same %s, %.0f %% sure", clean(l.Reason), 100*l.Confidence)
	}
	s := "same " + strings.ReplaceAll(clean(l.LinkedBy), "_", " ")
	if l.LinkValue != "" {
		s += " " + clean(l.LinkValue)
	}
	return s
}
