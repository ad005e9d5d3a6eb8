//go:build linux

package kill

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// caller makes calls, one after the other and several at a time, and reports the
// messages of each over TCP as they happen.
type caller struct {
	name string
	addr string
	stop chan struct{}
	done sync.WaitGroup
	// calls have the times of their messages, in order.
	calls [][]time.Time
}

// callStep is the time between a call's messages, and between calls.
const callStep = 200 * time.Millisecond

// callMessages are those of a call that is answered and ended by its caller.
var callMessages = []struct{ start, cseq string }{
	{"INVITE sip:bob@example.org SIP/2.0", "1 INVITE"}, {"SIP/2.0 180 Ringing", "1 INVITE"}, {"SIP/2.0 200 OK", "1 INVITE"},
	{"ACK sip:bob@example.org SIP/2.0", "1 ACK"}, {"BYE sip:bob@example.org SIP/2.0", "2 BYE"}, {"SIP/2.0 200 OK", "2 BYE"},
}

func startCaller(l *lake, name string) *caller {
	c := &caller{name: name, addr: l.addresses["hep_tcp"], stop: make(chan struct{})}
	c.done.Go(c.run)
	return c
}

// halt ends the calls that are up, and waits for that.
func (c *caller) halt() {
	close(c.stop)
	c.done.Wait()
}

func (c *caller) run() {
	conn, err := net.Dial("tcp", c.addr)
	if err != nil {
		return // nothing of it is stored, and the test fails
	}
	defer func() { _ = conn.Close() }()
	tick := time.NewTicker(callStep)
	defer tick.Stop()
	for begin := true; ; <-tick.C {
		select {
		case <-c.stop:
			begin = false
		default:
		}
		if begin {
			c.calls = append(c.calls, nil)
		}
		busy := false
		for i := range c.calls {
			n := len(c.calls[i])
			if n == len(callMessages) {
				continue
			}
			busy = true
			at := time.Now().Truncate(time.Microsecond)
			c.calls[i] = append(c.calls[i], at)
			if _, err := conn.Write(wrap(at, callMessage(fmt.Sprintf("%s-%d", c.name, i), n))); err != nil {
				return
			}
		}
		if !busy {
			return
		}
	}
}

func callMessage(callID string, n int) string {
	m := callMessages[n]
	tag := ";tag=2"
	if n == 0 {
		tag = ""
	}
	return m.start + "\r\nVia: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK" + strings.ReplaceAll(m.cseq, " ", "") + callID +
		"\r\nFrom: <sip:alice@example.org>;tag=1\r\nTo: <sip:bob@example.org>" + tag + "\r\nCall-ID: " + callID + "\r\nCSeq: " + m.cseq + "\r\nContent-Length: 0\r\n\r\n"
}

// check waits until the calls are in the view calls as they were, and fails the
// test where they are not in the end.
func (c *caller) check(t *testing.T, l *lake) {
	t.Helper()
	var want []string
	for i, times := range c.calls {
		if len(times) != len(callMessages) {
			t.Fatalf("call %d of %s is not over", i, c.name)
		}
		us := func(n int) int64 { return times[n].UnixMicro() }
		want = append(want, fmt.Sprintf("%s-%d\tanswered\t%d\t%d\t%d\t%d\t%d\tcaller", c.name, i, us(0), us(1), us(2), us(4), len(times)))
	}
	slices.Sort(want)
	var have []string
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(250 * time.Millisecond) {
		out := l.query(t, "SELECT correlation_id, outcome, toUnixTimestamp64Micro(start), toUnixTimestamp64Micro(ring), toUnixTimestamp64Micro(answer), toUnixTimestamp64Micro(end), messages, released_by "+
			"FROM calls WHERE startsWith(correlation_id, '"+c.name+"-')")
		have = strings.Split(strings.TrimSpace(out), "\n")
		slices.Sort(have)
		if slices.Equal(have, want) {
			return
		}
	}
	missing := slices.DeleteFunc(slices.Clone(want), func(s string) bool { return slices.Contains(have, s) })
	wrong := slices.DeleteFunc(have, func(s string) bool { return slices.Contains(want, s) })
	t.Errorf("%d of %d calls are not in the view calls as they were; among them\n%s\nthere are besides\n%s", len(missing), len(want),
		strings.Join(missing[:min(3, len(missing))], "\n"), strings.Join(wrong[:min(3, len(wrong))], "\n"))
}
