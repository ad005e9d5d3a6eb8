package testflow

import (
	"strconv"
	"strings"
	"time"

	"github.com/heplake/heplake/query"
)

// summarise fills Flow.Call from the items.
func (b *builder) summarise() {
	c, items := &b.f.Call, b.f.Items
	first := items[0]
	for _, it := range items { // a late relay may stand first: the opening request decides
		if it.Method != "" {
			first = it
			break
		}
	}
	src, dst := b.f.Participants[first.Src], b.f.Participants[first.Dst]
	*c = query.Call{
		CorrelationID: b.f.Legs[0].CallID, Method: first.Method, Start: items[0].Time, LastSeen: items[len(items)-1].Time,
		FromUser: first.FromUser, ToUser: first.ToUser, RURIUser: first.RURIUser,
		SrcIP: src.IP, SrcPort: src.Port, DstIP: dst.IP, DstPort: dst.Port,
		Outcome: query.Unanswered, Codecs: b.codecs, ReleasedBy: "",
	}
	if m, ok := parseSIP(first.RawBytes); ok {
		c.FromDomain, c.ToDomain = host(m.header["from"]), host(m.header["to"])
	}
	for _, l := range b.f.Legs {
		c.CallIDs = append(c.CallIDs, l.CallID)
	}
	hops := map[[2]int]bool{}
	cancelled := false
	for _, it := range items {
		if it.Kind != query.KindSIP {
			continue
		}
		if !contains(c.Nodes, it.Node) {
			c.Nodes = append(c.Nodes, it.Node)
		}
		if c.Messages++; it.Retransmission {
			c.Retransmissions++
		}
		at := it.Time
		switch {
		case it.Method == c.Method && it.CSeq == first.CSeq:
			hops[[2]int{it.Src, it.Dst}] = true
		case it.Method == "CANCEL":
			cancelled = true
		case it.Method == "BYE" && c.End == nil:
			c.End, c.ReleasedBy = &at, "callee"
			if it.FromUser == c.FromUser {
				c.ReleasedBy = "caller"
			}
		}
		if m, ok := parseSIP(it.RawBytes); ok && c.Q850 == 0 && it.Status > 0 {
			_, cause, _ := strings.Cut(m.header["reason"], "Q.850;cause=")
			cause, _, _ = strings.Cut(cause, ";")
			n, _ := strconv.ParseUint(cause, 10, 16)
			c.Q850 = uint16(n)
		}
		if it.CSeqMethod == c.Method && it.Status > 0 {
			b.answer(it, at, first)
		}
	}
	c.Hops = uint64(len(hops))
	if c.Outcome == query.Failed && cancelled {
		c.Outcome = query.Cancelled
	}
	if c.Ring != nil {
		c.PDDMs = ms(c.Ring.Sub(c.Start))
		if c.Answer != nil {
			c.RingMs = ms(c.Answer.Sub(*c.Ring))
		} else if c.End != nil {
			c.RingMs = ms(c.End.Sub(*c.Ring))
		}
	}
	if c.Answer != nil && c.Method == "INVITE" {
		end := c.LastSeen
		if c.End != nil {
			end = *c.End
		} else {
			c.Outcome = query.InProgress
		}
		s := end.Sub(*c.Answer).Seconds()
		c.DurationS = &s
	}
}

// answer takes a response to the opening request into account, as it reached
// the caller.
func (b *builder) answer(it query.Item, at time.Time, first query.Item) {
	c := &b.f.Call
	switch {
	case (it.Status == 180 || it.Status == 183) && c.Ring == nil:
		c.Ring = &at
	case it.Dst != first.Src || it.Status < 200:
	case it.Status < 300 && c.Answer == nil:
		c.Answer, c.Outcome, c.FinalStatus, c.FinalReason = &at, query.Answered, it.Status, it.Reason
	case it.Status >= 300 && c.Answer == nil:
		c.End, c.Outcome, c.FinalStatus, c.FinalReason = &at, query.Failed, it.Status, it.Reason
	}
}

func ms(d time.Duration) *float64 {
	v := float64(d.Microseconds()) / 1000
	return &v
}
