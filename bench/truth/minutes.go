package truth

import (
	"cmp"
	"maps"
	"slices"
)

// Minute is what happened in the calls and registrations that began in a minute.
// Ratios follow from it (docs/kpis.md).
type Minute struct {
	// Time is the minute's start, in µs since the epoch.
	Time          int64   `json:"time"`
	Attempts      int     `json:"attempts"`
	Answered      int     `json:"answered"`
	Redirected    int     `json:"redirected"`
	Cancelled     int     `json:"cancelled"`
	Failed        int     `json:"failed"`
	Unanswered    int     `json:"unanswered"`
	Final4xx      int     `json:"final_4xx"`
	Final5xx      int     `json:"final_5xx"`
	Final6xx      int     `json:"final_6xx"`
	Effective     int     `json:"effective"`
	Ineffective   int     `json:"ineffective"`
	Delivered     int     `json:"delivered"`
	Ended         int     `json:"ended"`
	Active        int     `json:"active"`
	Completed     int     `json:"completed"`
	TalkSeconds   float64 `json:"talk_seconds"`
	Registrations int     `json:"registrations"`
	RegFailures   int     `json:"reg_failures"`
	Ineffectives  int     `json:"ineffective_registrations"`
}

const minute = 60_000_000

func minutes(calls []Call, registrations []Registration) []Minute {
	byTime := map[int64]*Minute{}
	at := func(t int64) *Minute {
		t -= t % minute
		m := byTime[t]
		if m == nil {
			m = &Minute{Time: t}
			byTime[t] = m
		}
		return m
	}
	for i := range calls {
		if calls[i].Method == "INVITE" {
			at(calls[i].Start).count(&calls[i])
		}
	}
	for i := range registrations {
		r, m := &registrations[i], at(registrations[i].Time)
		m.Registrations++
		if r.Outcome == "failed" || r.Outcome == "unanswered" {
			m.RegFailures++
		}
		if r.Ineffective {
			m.Ineffectives++
		}
	}
	out := []Minute{}
	for _, m := range slices.SortedFunc(maps.Values(byTime), func(a, b *Minute) int { return cmp.Compare(a.Time, b.Time) }) {
		out = append(out, *m)
	}
	return out
}

func (m *Minute) count(c *Call) {
	m.Attempts++
	switch c.Outcome {
	case "answered":
		m.Answered++
		m.Ended++
		m.TalkSeconds += *c.DurationS
	case "in_progress":
		m.Answered++
		m.Active++
	case "cancelled":
		m.Cancelled++
	case "failed":
		m.Failed++
	case "unanswered":
		m.Unanswered++
	}
	if c.Completed {
		m.Completed++
	}
	switch c.FinalStatus / 100 {
	case 3:
		m.Redirected++
	case 4:
		m.Final4xx++
	case 5:
		m.Final5xx++
	case 6:
		m.Final6xx++
	}
	switch c.FinalStatus {
	case 200, 480, 486, 600, 603:
		m.Effective++
		m.Delivered++
	case 408, 500, 503, 504:
		m.Ineffective++
	}
	// A user who lets it ring was reached as well.
	if rang := c.Ring != 0; rang && (c.FinalStatus == 0 || c.FinalStatus == 408 || c.FinalStatus == 487) {
		m.Delivered++
	}
}
