package gen

import "maps"

// Counts is what a generator has made.
type Counts struct {
	// Packets are all, SIP and RTCP those of each type.
	Packets int `json:"packets"`
	SIP     int `json:"sip"`
	RTCP    int `json:"rtcp"`
	// Bytes are those of the HEP messages, SIPBytes those of the SIP in them.
	Bytes    int64 `json:"bytes"`
	SIPBytes int64 `json:"sip_bytes"`
	// Methods counts requests, Statuses responses.
	Methods  map[string]int `json:"methods"`
	Statuses map[int]int    `json:"statuses"`
	// Dialogs counts ended dialogs by outcome, as Outcome names them; TwoLegged
	// are the calls among them that went through a B2BUA.
	Dialogs   map[string]int `json:"dialogs"`
	TwoLegged int            `json:"two_legged"`
}

func newCounts() Counts {
	return Counts{Methods: map[string]int{}, Statuses: map[int]int{}, Dialogs: map[string]int{}}
}

func (c *Counts) clone() Counts {
	d := *c
	d.Methods, d.Statuses, d.Dialogs = maps.Clone(c.Methods), maps.Clone(c.Statuses), maps.Clone(c.Dialogs)
	return d
}

// Calls are the ended calls by the value that the column calls.outcome must
// have for them: a call that nobody picked up ends in a final failure.
func (c *Counts) Calls() map[string]int {
	return map[string]int{
		"answered":  c.Dialogs[Answered.String()],
		"cancelled": c.Dialogs[Cancelled.String()],
		"failed":    c.Dialogs[Busy.String()] + c.Dialogs[Failed.String()] + c.Dialogs[NoAnswer.String()],
	}
}

func (c *Counts) end(p *plan) {
	if p.outcome == none {
		return
	}
	c.Dialogs[p.outcome.String()]++
	if p.legs > 1 {
		c.TwoLegged++
	}
}
