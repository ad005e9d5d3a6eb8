package calls_test

import (
	"fmt"
	"hash/fnv"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/heplake/heplake/internal/calls"
)

// epoch is time 0 of the ladders of these tests.
var epoch = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

func sum(s string) uint32 {
	if s == "" || s == "-" {
		return 0
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(s))
	return h.Sum32()
}

// hosts of ladders: one letter or more, each with an address of its own.
func address(t testing.TB, name string) netip.AddrPort {
	t.Helper()
	host, port, found := strings.Cut(name, ":")
	n := uint16(5060)
	if found {
		p, err := strconv.Atoi(port)
		if err != nil {
			t.Fatal(err)
		}
		n = uint16(p)
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, host[0]}), n)
}

// leg reads a ladder: a message a line,
//
//	ms from>to METHOD|status/METHOD cseq fromTag/toTag branch [@agent]
func leg(t testing.TB, callID, ladder string) calls.Leg {
	t.Helper()
	l := calls.Leg{Tenant: "t", CallID: callID, CorrelationIDs: []string{callID}, Addresses: map[uint32]netip.AddrPort{}, Reasons: map[uint16]string{}}
	for line := range strings.Lines(ladder) {
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		if len(f) < 6 {
			t.Fatalf("ladder: %q", line)
		}
		ms, err := strconv.ParseFloat(f[0], 64)
		if err != nil {
			t.Fatal(err)
		}
		from, to, _ := strings.Cut(f[1], ">")
		src, dst := address(t, from), address(t, to)
		at := epoch.Add(time.Duration(ms * float64(time.Millisecond)))
		e := calls.Event{Time: at.UnixMicro(), Src: sum(src.String()), Dst: sum(dst.String()), Branch: sum(f[5]), Agent: sum("agent")}
		l.Addresses[e.Src], l.Addresses[e.Dst] = src, dst
		status, method, response := strings.Cut(f[2], "/")
		if response {
			n, err := strconv.Atoi(status)
			if err != nil {
				t.Fatal(err)
			}
			e.Status = uint16(n)
			l.Reasons[e.Status] = "reason " + status
		} else {
			method = f[2]
		}
		e.Method = calls.MethodOf(method)
		n, err := strconv.Atoi(f[3])
		if err != nil {
			t.Fatal(err)
		}
		e.CSeq = uint32(n)
		fromTag, toTag, _ := strings.Cut(f[4], "/")
		e.FromTag, e.ToTag = sum(fromTag), sum(toTag)
		if len(f) > 6 {
			e.Agent = sum(f[6])
		}
		if e.Status == 0 && e.ToTag == 0 && l.Opening.Time.IsZero() {
			l.Opening = calls.Opening{Time: at, Method: method, FromUser: "4930100200", ToUser: "4420300400", RuriUser: "4420300400", Src: src, Dst: dst, Transport: "udp"}
		}
		if l.First.IsZero() || at.Before(l.First) {
			l.First = at
		}
		if at.After(l.Last) {
			l.Last = at
		}
		l.Messages++
		l.Events = append(l.Events, e)
	}
	return l
}

// told is what a call came to, in one line.
func told(c calls.Call) string {
	end := "-"
	if !c.End.IsZero() {
		end = fmt.Sprint(c.End.Sub(epoch).Milliseconds())
	}
	answer := "-"
	if !c.Answer.IsZero() {
		answer = fmt.Sprint(c.Answer.Sub(epoch).Milliseconds())
	}
	return fmt.Sprintf("%s %s %d by %q answer %s end %s", c.Method, c.Outcome, c.FinalStatus, c.ReleasedBy, answer, end)
}

// TestLadders are the cases that traffic has seldom.
func TestLadders(t *testing.T) {
	for name, c := range map[string]struct{ ladder, want string }{
		"a CANCEL after the final response cancels nothing": {`
			0   A>P INVITE 1 a/- b1
			100 P>A 486/INVITE 1 a/x b1
			101 A>P CANCEL 1 a/- b1
			102 P>A 481/CANCEL 1 a/x b1
			103 A>P ACK 1 a/x b1`, `INVITE failed 486 by "callee" answer - end 100`},
		"a CANCEL before it does, whatever the failure": {`
			0   A>P INVITE 1 a/- b1
			99  A>P CANCEL 1 a/- b1
			100 P>A 480/INVITE 1 a/x b1`, `INVITE cancelled 480 by "caller" answer - end 100`},
		"the CANCEL was not seen": {`
			0   A>P INVITE 1 a/- b1
			50  P>A 180/INVITE 1 a/x b1
			100 P>A 487/INVITE 1 a/x b1`, `INVITE cancelled 487 by "caller" answer - end 100`},
		"neither 487 nor ACK was seen": {`
			0   A>P INVITE 1 a/- b1
			99  A>P CANCEL 1 a/- b1`, `INVITE cancelled 0 by "caller" answer - end -`},
		"487 was not seen": {`
			0   A>P INVITE 1 a/- b1
			99  A>P CANCEL 1 a/- b1
			120 A>P ACK 1 a/x b1`, `INVITE cancelled 487 by "caller" answer - end 120`},
		"a proxy cancels a branch of its fork": {`
			0   A>P INVITE 1 a/- b1
			1   P>B INVITE 1 a/- b2
			1   P>C INVITE 1 a/- b3
			90  B>P 486/INVITE 1 a/x b2
			95  P>C CANCEL 1 a/- b3
			97  C>P 487/INVITE 1 a/y b3
			100 P>A 486/INVITE 1 a/x b1`, `INVITE failed 486 by "callee" answer - end 100`},
		"the failure was not seen, its ACK was": {`
			0   A>P INVITE 1 a/- b1
			50  P>A 180/INVITE 1 a/x b1
			100 A>P ACK 1 a/x b1`, `INVITE failed 0 by "network" answer - end 100`},
		"the failure was seen further on only": {`
			0   A>P INVITE 1 a/- b1
			1   P>B INVITE 1 a/- b2
			99  B>P 603/INVITE 1 a/x b2
			101 A>P ACK 1 a/x b1`, `INVITE failed 603 by "callee" answer - end 101`},
		"the answer was not seen, its ACK was": {`
			0   A>P INVITE 1 a/- b1
			50  P>A 180/INVITE 1 a/x b1
			100 A>P ACK 1 a/x b9
			900 A>P BYE 2 a/x b8`, `INVITE answered 200 by "caller" answer 100 end 900`},
		"neither answer nor ACK was seen": {`
			0   A>P INVITE 1 a/- b1
			900 P>A BYE 7 x/a b8`, `INVITE answered 200 by "callee" answer - end 900`},
		"two dialogs, one is still up": {`
			0   A>P INVITE 1 a/- b1
			100 P>A 200/INVITE 1 a/x b1
			101 A>P ACK 1 a/x b2
			110 P>A 200/INVITE 1 a/y b1
			111 A>P ACK 1 a/y b3
			112 A>P BYE 2 a/x b4
			113 P>A 200/BYE 2 a/x b4`, `INVITE in_progress 200 by "" answer 100 end -`},
		"two dialogs, both have ended": {`
			0   A>P INVITE 1 a/- b1
			100 P>A 200/INVITE 1 a/x b1
			110 P>A 200/INVITE 1 a/y b1
			112 A>P BYE 2 a/x b4
			900 P>A BYE 9 y/a b5`, `INVITE answered 200 by "callee" answer 100 end 900`},
		"both sides hang up at once": {`
			0   A>P INVITE 1 a/- b1
			100 P>A 200/INVITE 1 a/x b1
			500 P>A BYE 9 x/a b5
			501 A>P BYE 2 a/x b4
			502 A>P 200/BYE 9 x/a b5
			503 P>A 200/BYE 2 a/x b4`, `INVITE answered 200 by "callee" answer 100 end 500`},
		"the tag of the challenge is kept": {`
			0   A>P INVITE 1 a/- b1
			10  P>A 407/INVITE 1 a/p b1
			20  A>P INVITE 2 a/p b2
			90  P>A 200/INVITE 2 a/x b2
			500 A>P BYE 3 a/x b3`, `INVITE answered 200 by "caller" answer 90 end 500`},
		"a re-INVITE that fails is no retry": {`
			0   A>P INVITE 1 a/- b1
			90  P>A 200/INVITE 1 a/x b1
			200 A>P INVITE 2 a/x b2
			210 P>A 488/INVITE 2 a/x b2
			300 A>P INVITE 3 a/x b3
			310 P>A 500/INVITE 3 a/x b3
			500 A>P BYE 4 a/x b4`, `INVITE answered 200 by "caller" answer 90 end 500`},
		"a re-INVITE whose request was not seen": {`
			0   A>P INVITE 1 a/- b1
			90  P>A 200/INVITE 1 a/x b1
			210 P>A 488/INVITE 2 a/x b2
			500 A>P BYE 4 a/x b4`, `INVITE answered 200 by "caller" answer 90 end 500`},
		"only the responses were seen": {`
			50  P>A 180/INVITE 1 a/x b1
			90  P>A 200/INVITE 1 a/x b1
			500 A>P BYE 4 a/x b4`, `INVITE answered 200 by "caller" answer 90 end 500`},
		"the second INVITE was not seen": {`
			0   A>P INVITE 1 a/- b1
			10  P>A 401/INVITE 1 a/p b1
			50  P>A 180/INVITE 2 a/x b2
			90  P>A 404/INVITE 2 a/x b2`, `INVITE failed 404 by "network" answer - end 90`},
		"another server after the first one failed": {`
			0   A>P INVITE 1 a/- b1
			10  P>A 503/INVITE 1 a/p b1
			20  A>Q INVITE 1 a/- b2
			90  Q>A 486/INVITE 1 a/x b2`, `INVITE failed 486 by "callee" answer - end 90`},
		"a fork of which the caller's side was not seen": {`
			0   P>B INVITE 1 a/- b1
			0   P>C INVITE 1 a/- b2
			80  B>P 603/INVITE 1 a/x b1
			90  C>P 486/INVITE 1 a/y b2`, `INVITE failed 603 by "callee" answer - end 80`},
		"a fork of which the last to fail is what the caller is told": {`
			0   P>B INVITE 1 a/- b1
			80  B>P 408/INVITE 1 a/x b1
			81  P>C INVITE 1 a/- b2
			90  C>P 486/INVITE 1 a/y b2`, `INVITE failed 486 by "callee" answer - end 90`},
		"branches are cancelled because another one declined": {`
			0   P>B INVITE 1 a/- b1
			0   P>C INVITE 1 a/- b2
			80  B>P 603/INVITE 1 a/x b1
			80  P>C CANCEL 1 a/- b2
			90  C>P 487/INVITE 1 a/y b2`, `INVITE failed 603 by "callee" answer - end 80`},
		"a hop's responses without their branch": {`
			0   A>P INVITE 1 a/- b1
			1   P>B INVITE 1 a/- b2
			80  B>P 404/INVITE 1 a/x b2
			81  P>A 404/INVITE 1 a/x -`, `INVITE failed 404 by "callee" answer - end 81`},
		"a proxy that sends from another port, by a clock that is behind": {`
			0   P:40000>B INVITE 1 a/- b2 @late
			3   A>P INVITE 1 a/- b1
			70  B>P:40000 403/INVITE 1 a/x b2 @late
			80  P>A 500/INVITE 1 a/x b1`, `INVITE failed 500 by "callee" answer - end 80`},
		"only the middle of a dialog was seen": {`
			0   A>P INVITE 7 a/x b1
			90  P>A 200/INVITE 7 a/x b1`, `INVITE in_progress 200 by "" answer 90 end -`},
		"only the end of a dialog was seen": {`
			0   A>P BYE 7 a/x b1
			90  P>A 200/BYE 7 a/x b1`, `BYE answered 200 by "" answer 90 end -`},
		"a proxy's failure on the way is not the callee's": {`
			0   A>P INVITE 1 a/- b1
			1   P>Q INVITE 1 a/- b2
			2   Q>B INVITE 1 a/- b3
			90  Q>P 408/INVITE 1 a/x b2
			91  P>A 408/INVITE 1 a/x b1`, `INVITE failed 408 by "network" answer - end 91`},
		"a B2BUA that keeps the Call-ID": {`
			0   A>P INVITE 1 a/- b1
			1   P>B INVITE 9 q/- b2
			50  B>P 180/INVITE 9 q/y b2
			51  P>A 180/INVITE 1 a/x b1
			90  B>P 200/INVITE 9 q/y b2
			91  P>A 200/INVITE 1 a/x b1
			92  A>P ACK 1 a/x b3
			93  P>B ACK 9 q/y b4
			500 B>P BYE 1 y/q b5
			501 P>A BYE 7 x/a b6`, `INVITE answered 200 by "callee" answer 91 end 501`},
		"a subscription and its end": {`
			0   A>P SUBSCRIBE 1 a/- b1
			5   P>A 202/SUBSCRIBE 1 a/x b1
			6   P>A NOTIFY 1 x/a b2
			7   A>P 200/NOTIFY 1 x/a b2
			900 A>P SUBSCRIBE 2 a/x b3
			905 P>A 481/SUBSCRIBE 2 a/x b3`, `SUBSCRIBE answered 202 by "" answer 5 end -`},
	} {
		t.Run(name, func(t *testing.T) {
			l := leg(t, "1", c.ladder)
			if got := told(calls.Assemble(calls.Group{Legs: []calls.Leg{l}}, time.Time{})); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

// TestPatience: how long a call is waited for depends on whether it rang.
func TestPatience(t *testing.T) {
	silent := "0 A>P INVITE 1 a/- b1\n"
	for _, c := range []struct {
		ladder string
		after  time.Duration
		want   calls.Outcome
	}{
		{silent, 31 * time.Second, calls.InProgress},
		{silent, 33 * time.Second, calls.Unanswered},
		{silent + "100 P>A 100/INVITE 1 a/- b1", 33 * time.Second, calls.Unanswered},
		{silent + "100 P>A 180/INVITE 1 a/x b1", 33 * time.Second, calls.InProgress},
		{silent + "100 P>A 180/INVITE 1 a/x b1", 181 * time.Second, calls.Unanswered},
		{silent + "100 P>A 200/INVITE 1 a/x b1", 24 * time.Hour, calls.InProgress},
		{"0 A>P OPTIONS 1 a/- b1", time.Second, calls.InProgress},
		{"0 A>P OPTIONS 1 a/- b1", time.Minute, calls.Unanswered},
	} {
		got := calls.Assemble(calls.Group{Legs: []calls.Leg{leg(t, "1", c.ladder)}}, epoch.Add(c.after))
		if got.Outcome != c.want {
			t.Errorf("%q is %s after %s, should be %s", c.ladder, got.Outcome, c.after, c.want)
		}
		if pending := calls.CountsOf(&got).Pending == 1; got.Method == "INVITE" && pending != (got.Outcome == calls.InProgress && got.FinalStatus == 0) {
			t.Errorf("%q: pending is %v", c.ladder, pending)
		}
	}
}

// TestDelays: times are of one agent's clock, to the transaction that was begun.
func TestDelays(t *testing.T) {
	// The agent "behind" is 1 s behind. It missed the INVITE.
	l := leg(t, "1", `
		0    A>P INVITE 1 a/- b1 @right
		-899 P>A 180/INVITE 1 a/x b1 @behind
		101  P>A 180/INVITE 1 a/x b1 @right
		200  P>A 200/INVITE 1 a/x b1 @right
		-800 P>A 200/INVITE 1 a/x b1 @behind
		500  A>P BYE 2 a/x b2 @right
		503  P>B BYE 2 a/x b3 @right
		510  B>P 200/BYE 2 a/x b3 @right
		512  P>A 200/BYE 2 a/x b2 @right`)
	c := calls.Assemble(calls.Group{Legs: []calls.Leg{l}}, time.Time{})
	for name, v := range map[string]struct {
		got  *float64
		want float64
	}{"pdd": {c.PDDMs, 101}, "srd": {c.SRDMs, 101}, "ring": {c.RingMs, 99}, "sdd": {c.SDDMs, 12}, "duration": {c.DurationS, 1.3}} {
		if v.got == nil || *v.got != v.want {
			t.Errorf("%s is %v, should be %g", name, v.got, v.want)
		}
	}
}

// TestReception: loss and jitter belong to who reported them.
func TestReception(t *testing.T) {
	l := leg(t, "1", "0 A>P INVITE 1 a/- b1\n90 P>A 200/INVITE 1 a/x b1")
	l.Offered, l.Answered = "audio 10.9.0.1:4000 PCMA sendrecv", "audio 10.9.0.1:5000 PCMU,PCMA sendrecv, video 10.9.0.1:5002"
	report := func(from string, loss float64) calls.Quality {
		return calls.Quality{From: netip.MustParseAddrPort(from), LossSum: loss, JitterSum: 100 * loss, Receptions: 1, MOSMin: 4, MOSSum: 4, MOSCount: 1}
	}
	l.Quality = []calls.Quality{report("[::ffff:10.9.0.1]:4001", 0.01), report("10.9.0.1:5001", 0.03), report("10.9.0.2:9", 0.05)}
	c := calls.Assemble(calls.Group{Legs: []calls.Leg{l}}, time.Time{})
	got := fmt.Sprintf("%.3f %.3f %.3f %.3f %v %.1f", *c.LossPercent, *c.Caller.LossPercent, *c.Callee.LossPercent, *c.Callee.JitterMs, c.RTTMs, *c.MOSMin)
	if want := "3.000 1.000 3.000 3.000 <nil> 4.0"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if fmt.Sprint(c.Codecs) != "[PCMU PCMA]" {
		t.Errorf("codecs %q", c.Codecs)
	}
}
