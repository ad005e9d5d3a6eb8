package query

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Severity is how much a finding matters.
type Severity string

// The severities.
const (
	// SeverityError is what makes calls fail, or would with most equipment.
	SeverityError Severity = "error"
	// SeverityWarning is what someone should look at, or what people did that kept
	// the call from being answered.
	SeverityWarning Severity = "warning"
	// SeverityInfo explains.
	SeverityInfo Severity = "info"
)

// rank orders severities, what matters most first.
func (s Severity) rank() int {
	return slices.Index([]Severity{SeverityError, SeverityWarning, SeverityInfo}, s)
}

// Finding is something about a call that an engineer would point out.
type Finding struct {
	// Code says what it is: no_response, busy, auth_loop, … A code keeps its meaning.
	Code     string   `json:"code"`
	Severity Severity `json:"severity"`
	// Text is a sentence.
	Text string `json:"text"`
	// Items are the messages that show it, at least one.
	Items []int `json:"items"`
	// Client and Server are the participants of the hop it is about, -1 where it is
	// about none.
	Client int `json:"client"`
	Server int `json:"server"`
}

// findings looks for everything. The first finding says how the call, or what
// else the flow is, came to its end; the rest is in order of severity.
func (a *analysis) findings() []Finding {
	out := []Finding{}
	if len(a.f.Transactions) > 0 {
		out = append(out, a.ending()...)
	}
	var rest []Finding
	for _, look := range []func() []Finding{
		a.authentication, a.loops, a.missingAcks, a.failedReinvites, a.byes, a.codecs, a.nat, a.oneWay, a.reports,
		a.retransmissions, a.slowSetup, a.forks, a.transfers, a.sessionTimer, a.releaseReasons, a.malformed, a.clocks, a.partly,
	} {
		rest = append(rest, look()...)
	}
	slices.SortStableFunc(rest, func(x, y Finding) int { return x.Severity.rank() - y.Severity.rank() })
	out = append(out, rest...)
	for i := range out {
		slices.Sort(out[i].Items)
		out[i].Items = slices.Compact(out[i].Items)
	}
	return out
}

// about makes a finding about the hop of a transaction.
func (a *analysis) about(t int, code string, severity Severity, items []int, format string, args ...any) Finding {
	tx := &a.f.Transactions[t]
	return Finding{Code: code, Severity: severity, Text: fmt.Sprintf(format, args...), Items: present(items), Client: tx.Client, Server: tx.Server}
}

// present leaves out what is not there.
func present(items []int) []int {
	return slices.DeleteFunc(slices.Clone(items), func(i int) bool { return i < 0 })
}

// tries lists the transactions by which the call was attempted, on the first hop: more
// than one after a challenge or a redirect.
func (a *analysis) tries() []int {
	var out []int
	method := a.f.Call.Method
	for t := range a.f.Transactions {
		tx := &a.f.Transactions[t]
		if tx.Method != method && method != "" || tx.Parent >= 0 || tx.Request < 0 && tx.Final < 0 || tx.Method == "ACK" || tx.Method == "CANCEL" {
			continue
		}
		if tx.Request >= 0 && a.heads[tx.Request].tag("to") != "" && tx.Method != "NOTIFY" {
			continue // within a dialog
		}
		if method == "" {
			method = tx.Method
		}
		if len(out) > 0 {
			first := &a.f.Transactions[out[0]]
			if tx.Leg != first.Leg || tx.Client != first.Client {
				continue
			}
		}
		out = append(out, t)
	}
	return out
}

// status is the status of a transaction's final response, 0 without one.
func (a *analysis) status(t int) uint16 {
	if final := a.f.Transactions[t].Final; final >= 0 {
		return a.f.Items[final].Status
	}
	return 0
}

// label is a response as a sentence names it: 486 Busy Here.
func (a *analysis) label(i int) string {
	it := &a.f.Items[i]
	if it.Status == 0 {
		return it.Method
	}
	return strings.TrimSpace(strconv.Itoa(int(it.Status)) + " " + printable(it.Reason))
}

// requests lists the items of a transaction that are its request: the first
// and its retransmissions, copies left out.
func (a *analysis) requests(t int) []int {
	var out []int
	for _, i := range a.f.Transactions[t].Items {
		if it := &a.f.Items[i]; it.Status == 0 && it.Method != "ACK" && !it.Copy {
			out = append(out, i)
		}
	}
	return out
}

// provisional is the last provisional response of a transaction other than 100;
// -1 without one.
func (a *analysis) provisional(t int) int {
	found := -1
	for _, i := range a.f.Transactions[t].Items {
		if s := a.f.Items[i].Status; s > 100 && s < 200 {
			found = i
		}
	}
	return found
}

// ringing is the first 180 or 183 of a transaction; -1 without one.
func (a *analysis) ringing(t int) int {
	for _, i := range a.f.Transactions[t].Items {
		if s := a.f.Items[i].Status; s == 180 || s == 183 {
			return i
		}
	}
	return -1
}

// span writes a length of time as a sentence does.
func span(d time.Duration) string {
	switch {
	case d < 0:
		return "0 ms"
	case d < 10*time.Millisecond:
		return strconv.FormatFloat(float64(d.Microseconds())/1000, 'f', 1, 64) + " ms"
	case d < time.Second:
		return strconv.FormatInt(d.Milliseconds(), 10) + " ms"
	case d < time.Minute:
		return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) + " s"
	default:
		return d.Round(time.Second).String()
	}
}

// lapse is how long something took, with the words before it; "" of no time at all,
// which agents that give no times, or whole seconds, report.
func lapse(words string, d time.Duration) string {
	if d < 50*time.Microsecond {
		return ""
	}
	return words + span(d)
}

// times is "once", "twice", "3 times".
func times(n int) string {
	switch n {
	case 1:
		return "once"
	case 2:
		return "twice"
	}
	return strconv.Itoa(n) + " times"
}
