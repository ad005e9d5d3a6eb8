package truth

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// Got is what a row of table calls says of a call, by the names of its columns.
type Got struct {
	CallIDs          []string   `json:"call_ids"`
	Method           string     `json:"method"`
	Start            time.Time  `json:"start"`
	FirstProvisional *time.Time `json:"first_provisional"`
	Ring             *time.Time `json:"ring"`
	Answer           *time.Time `json:"answer"`
	End              *time.Time `json:"end"`
	LastSeen         time.Time  `json:"last_seen"`
	Outcome          string     `json:"outcome"`
	FinalStatus      int        `json:"final_status"`
	FinalReason      string     `json:"final_reason"`
	ReleasedBy       string     `json:"released_by"`
	Q850             int        `json:"q850"`
	FromUser         string     `json:"from_user"`
	ToUser           string     `json:"to_user"`
	RuriUser         string     `json:"ruri_user"`
	Src              string     `json:"src"`
	Dst              string     `json:"dst"`
	// LastSrc and LastDst are not compared when empty.
	LastSrc string   `json:"last_src"`
	LastDst string   `json:"last_dst"`
	Codecs  []string `json:"codecs"`
	Nodes   []string `json:"nodes"`
	// LegReasons are why each leg is one, in the order of CallIDs.
	LegReasons      []string `json:"leg_reasons"`
	Messages        uint64   `json:"messages"`
	Retransmissions uint64   `json:"retransmissions"`
	Hops            uint64   `json:"hops"`
	PDDMs           *float64 `json:"pdd_ms"`
	SRDMs           *float64 `json:"srd_ms"`
	SDDMs           *float64 `json:"sdd_ms"`
	DurationS       *float64 `json:"duration_s"`
	LossPercent     *float64 `json:"loss_percent"`
	JitterMs        *float64 `json:"jitter_ms"`
	// What each end reported of the stream that it received.
	CallerLossPercent *float64 `json:"caller_loss_percent"`
	CalleeLossPercent *float64 `json:"callee_loss_percent"`
}

// CompareCalls says what of the calls is not as it was, one line for each
// difference; nothing when all is right. Rows of other calls are differences too.
// Pings are compared if there are rows of them: they are no calls.
func (c *Corpus) CompareCalls(got []Got) []string {
	rows := map[string][]*Got{}
	for i := range got {
		for _, id := range got[i].CallIDs {
			rows[id] = append(rows[id], &got[i])
		}
	}
	var out []string
	known := map[string]bool{}
	for i := range c.Calls {
		call := &c.Calls[i]
		for _, id := range call.CallIDs {
			known[id] = true
		}
		d := differ{head: fmt.Sprintf("%s, %d legs by %q, %s", call.Scenario, len(call.CallIDs), call.Link, call.CallIDs[0])}
		switch list := rows[call.CallIDs[0]]; len(list) {
		case 0:
			if call.Method == "INVITE" {
				d.say("is missing")
			}
		case 1:
			call.compare(&d, list[0], c.Config.Skew)
		default:
			d.say("is in %d rows", len(list))
		}
		out = append(out, d.lines...)
	}
	for i := range got {
		if len(got[i].CallIDs) == 0 || !known[got[i].CallIDs[0]] && got[i].Method != "REGISTER" {
			out = append(out, fmt.Sprintf("there was no call %q", got[i].CallIDs))
		}
	}
	return out
}

// GotRegistration is what is said of an attempt to register.
type GotRegistration struct {
	CallID      string    `json:"call_id"`
	Time        time.Time `json:"time"`
	User        string    `json:"user"`
	Domain      string    `json:"domain"`
	Contact     string    `json:"contact"`
	Source      string    `json:"source"`
	Outcome     string    `json:"outcome"`
	Status      int       `json:"status"`
	Expires     uint32    `json:"expires"`
	RRDMs       *float64  `json:"rrd_ms"`
	Ineffective bool      `json:"ineffective"`
	Requests    uint64    `json:"requests"`
}

// CompareRegistrations says what of the registrations is not as it was, as
// CompareCalls does. Attempts of a Call-ID are compared in order of time.
func (c *Corpus) CompareRegistrations(got []GotRegistration) []string {
	rows := map[string][]GotRegistration{}
	for _, g := range got {
		rows[g.CallID] = append(rows[g.CallID], g)
	}
	for _, list := range rows {
		slices.SortFunc(list, func(a, b GotRegistration) int { return a.Time.Compare(b.Time) })
	}
	var out []string
	for i := range c.Registrations {
		r := &c.Registrations[i]
		d := differ{head: fmt.Sprintf("%s, %s", r.Scenario, r.CallID)}
		if len(rows[r.CallID]) == 0 {
			d.say("is missing")
		} else {
			g := rows[r.CallID][0]
			rows[r.CallID] = rows[r.CallID][1:]
			at := g.Time
			d.time("time", &at, r.Time, c.Config.Skew+time.Microsecond)
			differs(&d, "user", g.User, r.User)
			differs(&d, "domain", g.Domain, r.Domain)
			differs(&d, "contact", g.Contact, r.Contact)
			differs(&d, "source", plain(g.Source), r.Source)
			differs(&d, "outcome", g.Outcome, r.Outcome)
			differs(&d, "status", g.Status, r.Status)
			differs(&d, "expires", g.Expires, r.Expires)
			differs(&d, "ineffective", g.Ineffective, r.Ineffective)
			differs(&d, "requests", g.Requests, r.Requests)
			d.number("rrd_ms", g.RRDMs, r.RRDMs, 0.002)
		}
		out = append(out, d.lines...)
	}
	for id, list := range rows {
		if len(list) > 0 {
			out = append(out, fmt.Sprintf("%d attempts too many of %s", len(list), id))
		}
	}
	return out
}

// differ gathers differences.
type differ struct {
	head  string
	lines []string
}

func (d *differ) say(format string, args ...any) {
	d.lines = append(d.lines, d.head+": "+fmt.Sprintf(format, args...))
}

func differs[T comparable](d *differ, name string, got, want T) {
	if got != want {
		d.say("%s is %v, should be %v", name, got, want)
	}
}

func (d *differ) number(name string, got, want *float64, tolerance float64) {
	switch {
	case got == nil && want == nil:
	case got == nil:
		d.say("%s is missing, should be %g", name, *want)
	case want == nil:
		d.say("%s is %g, should be missing", name, *got)
	case math.Abs(*got-*want) > tolerance+1e-6*math.Abs(*want):
		d.say("%s is %g, should be %g", name, *got, *want)
	}
}

func (d *differ) time(name string, got *time.Time, want int64, tolerance time.Duration) {
	switch at := time.UnixMicro(want).UTC(); {
	case got == nil && want == 0:
	case got == nil:
		d.say("%s is missing, should be %s", name, at)
	case want == 0:
		d.say("%s is %s, should be missing", name, got)
	case got.Sub(at).Abs() > tolerance:
		d.say("%s is %s, should be %s", name, got, at)
	}
}

// compare compares a call with its row. Clocks are off by up to skew.
func (c *Call) compare(d *differ, g *Got, skew time.Duration) {
	if !slices.Equal(slices.Sorted(slices.Values(g.CallIDs)), slices.Sorted(slices.Values(c.CallIDs))) || g.CallIDs[0] != c.CallIDs[0] {
		d.say("call_ids are %q, should be %q", g.CallIDs, c.CallIDs)
	}
	differs(d, "method", g.Method, c.Method)
	differs(d, "outcome", g.Outcome, c.Outcome)
	differs(d, "final_status", g.FinalStatus, c.FinalStatus)
	differs(d, "released_by", g.ReleasedBy, c.ReleasedBy)
	differs(d, "from_user", g.FromUser, c.FromUser)
	differs(d, "to_user", g.ToUser, c.ToUser)
	differs(d, "messages", g.Messages, c.Messages)
	differs(d, "retransmissions", g.Retransmissions, c.Retransmissions)
	differs(d, "hops", g.Hops, c.Hops)
	d.number("loss_percent", g.LossPercent, c.LossPercent, 0.01)
	d.number("jitter_ms", g.JitterMs, c.JitterMs, 0.01)
	d.number("caller_loss_percent", g.CallerLossPercent, c.CallerLossPercent, 0.01)
	d.number("callee_loss_percent", g.CalleeLossPercent, c.CalleeLossPercent, 0.01)
	if c.Lost != "" {
		if len(d.lines) > 0 {
			d.say("(lost was %s)", c.Lost)
		}
		return
	}
	differs(d, "final_reason", g.FinalReason, c.FinalReason)
	differs(d, "codecs", strings.Join(g.Codecs, " "), strings.Join(c.Codecs, " "))
	differs(d, "nodes", strings.Join(g.Nodes, " "), strings.Join(c.Nodes, " "))
	for i, reason := range g.LegReasons {
		guessed := strings.HasPrefix(reason, "numbers") || strings.HasPrefix(reason, "media")
		if i == 0 && reason != "" || i > 0 && (reason == "" || guessed != (c.Link == "heuristics")) {
			d.say("leg %d is linked by %q, should be by %q", i, reason, c.Link)
		}
	}
	differs(d, "q850", g.Q850, c.Q850)
	differs(d, "ruri_user", g.RuriUser, c.RuriUser)
	differs(d, "src", plain(g.Src), c.Src)
	differs(d, "dst", plain(g.Dst), c.Dst)
	if g.LastDst != "" {
		differs(d, "last_src", plain(g.LastSrc), c.LastSrc)
		differs(d, "last_dst", plain(g.LastDst), c.LastDst)
	}
	tolerance := skew + time.Microsecond
	d.time("start", &g.Start, c.Start, tolerance)
	d.time("first_provisional", g.FirstProvisional, c.FirstProvisional, tolerance)
	d.time("ring", g.Ring, c.Ring, tolerance)
	d.time("answer", g.Answer, c.Answer, tolerance)
	d.time("end", g.End, c.End, tolerance)
	d.time("last_seen", &g.LastSeen, c.LastSeen, tolerance)
	d.number("pdd_ms", g.PDDMs, c.PDDMs, 0.002)
	d.number("srd_ms", g.SRDMs, c.SRDMs, 0.002)
	d.number("sdd_ms", g.SDDMs, c.SDDMs, 0.002)
	d.number("duration_s", g.DurationS, c.DurationS, 2*tolerance.Seconds())
}

// plain is an address as netip writes IPv4: tables have it mapped.
func plain(a string) string {
	return strings.NewReplacer("[::ffff:", "", "::ffff:", "", "]", "").Replace(a)
}
