package truth

import (
	"slices"
)

// Call is what really happened in a call. Times are in µs since the epoch by a
// clock that is right, 0 for never; agents' clocks are off by up to Config.Skew.
type Call struct {
	// Scenario says what was played, Link how the legs can be told to be one
	// call: "X-CID", "Session-ID", "P-Charging-Vector", "correlation_id",
	// "heuristics"; "" with one leg.
	Scenario string `json:"scenario"`
	Link     string `json:"link,omitempty"`
	// CallIDs are in order of the legs.
	CallIDs []string `json:"call_ids"`
	Method  string   `json:"method"`

	Start            int64 `json:"start"`
	FirstProvisional int64 `json:"first_provisional"`
	Ring             int64 `json:"ring"`
	Answer           int64 `json:"answer"`
	End              int64 `json:"end"`
	LastSeen         int64 `json:"last_seen"`

	// Outcome, FinalStatus and ReleasedBy are in the words of table calls.
	Outcome     string `json:"outcome"`
	FinalStatus int    `json:"final_status"`
	FinalReason string `json:"final_reason"`
	ReleasedBy  string `json:"released_by"`
	Q850        int    `json:"q850"`

	FromUser string `json:"from_user"`
	ToUser   string `json:"to_user"`
	RuriUser string `json:"ruri_user"`
	Src      string `json:"src"`
	Dst      string `json:"dst"`
	LastSrc  string `json:"last_src"`
	LastDst  string `json:"last_dst"`

	// Codecs are those that were agreed on, Nodes the agents that reported.
	Codecs []string `json:"codecs"`
	Nodes  []string `json:"nodes"`

	// Messages counts what agents reported, Duplicates what of that one sent a
	// second time, which is not in Messages.
	Messages        uint64 `json:"messages"`
	Duplicates      uint64 `json:"duplicates,omitempty"`
	Retransmissions uint64 `json:"retransmissions"`
	Hops            uint64 `json:"hops"`
	// Tries counts the caller's opening requests.
	Tries uint64 `json:"tries"`

	PDDMs       *float64 `json:"pdd_ms"`
	SRDMs       *float64 `json:"srd_ms"`
	SDDMs       *float64 `json:"sdd_ms"`
	DurationS   *float64 `json:"duration_s"`
	LossPercent *float64 `json:"loss_percent"`
	JitterMs    *float64 `json:"jitter_ms"`
	// CallerLossPercent and CalleeLossPercent are of what each received.
	CallerLossPercent *float64 `json:"caller_loss_percent"`
	CalleeLossPercent *float64 `json:"callee_loss_percent"`

	// Completed says that the BYE was answered.
	Completed bool `json:"completed"`
	// Lost names the report that no agent sent; its times and delays are then not
	// what can be seen.
	Lost string `json:"lost,omitempty"`

	first  *leg // the leg that the caller began
	opened int64
	fares  int64
	loss   map[bool][]float64 // by caller
	jitter []float64
	hops   map[[2]string]bool
}

// saw takes note of a message on the wire.
func (c *Call) saw(at int64) {
	if c.Start == 0 || at < c.Start {
		c.Start = at
	}
	c.LastSeen = max(c.LastSeen, at)
}

func (c *Call) hop(from, to *host) {
	if c.hops == nil {
		c.hops = map[[2]string]bool{}
	}
	c.hops[[2]string{from.addr.String(), to.addr.String()}] = true
	c.Hops = uint64(len(c.hops))
}

// try begins a try of the caller: what it was told before counts no more.
func (c *Call) try(at int64) {
	if c.opened == 0 {
		c.opened = at
	}
	c.Tries++
	c.FirstProvisional, c.Ring, c.fares = 0, 0, 0
}

// told takes note of a response on the caller's hop.
func (c *Call) told(status int, at int64) {
	if status < 200 {
		c.firstProvisional(at)
	}
	if (status == 180 || status == 183) && c.Ring == 0 {
		c.Ring = at
	}
	if status > 100 && status != 401 && status != 407 && c.fares == 0 {
		c.fares = at
	}
}

func (c *Call) firstProvisional(at int64) {
	if c.FirstProvisional == 0 || at < c.FirstProvisional {
		c.FirstProvisional = at
	}
}

// finish computes what follows from the times.
func (c *Call) finish() {
	if c.Ring != 0 {
		c.PDDMs = ms(c.Ring - c.opened)
	}
	if c.fares != 0 {
		c.SRDMs = ms(c.fares - c.opened)
	}
	if c.Answer != 0 && c.Method == "INVITE" {
		end := c.End
		if end == 0 {
			end = c.LastSeen
		}
		s := float64(end-c.Answer) / 1e6
		c.DurationS = &s
	}
	if c.Method == "INVITE" {
		c.Codecs = []string{"PCMA", "telephone-event"}
	}
	slices.Sort(c.Nodes)
	c.CallerLossPercent, c.CalleeLossPercent = mean(c.loss[true]), mean(c.loss[false])
	c.LossPercent = mean(slices.Concat(c.loss[true], c.loss[false]))
	c.JitterMs = mean(c.jitter)
}

func ms(us int64) *float64 {
	v := float64(us) / 1000
	return &v
}

func mean(values []float64) *float64 {
	if len(values) == 0 {
		return nil
	}
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	sum /= float64(len(values))
	return &sum
}
