// Package admit decides which packets of a sender go on.
package admit

import (
	"net/netip"
	"time"
)

// Limiter bounds how often each sender may do something: Rate a second, Burst
// at once. It is for what should be rare, such as storing packets that do not
// decode, so that one broken sender cannot flood the store. It is not safe for
// concurrent use.
type Limiter struct {
	Rate, Burst float64
	senders     map[netip.Addr]*bucket
}

type bucket struct {
	tokens float64
	last   time.Time
}

// maxSenders bounds the senders remembered. Beyond it all are forgotten: each
// then has its burst again, which is the lesser evil beside unbounded memory.
const maxSenders = 8192

// Allow takes a token of the sender and tells whether there was one.
func (l *Limiter) Allow(from netip.Addr, now time.Time) bool {
	if l.senders == nil || len(l.senders) >= maxSenders {
		l.senders = make(map[netip.Addr]*bucket)
	}
	b, ok := l.senders[from]
	if !ok {
		b = &bucket{tokens: l.Burst, last: now}
		l.senders[from] = b
	}
	b.tokens = min(l.Burst, b.tokens+max(now.Sub(b.last).Seconds(), 0)*l.Rate)
	b.last = now
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}
