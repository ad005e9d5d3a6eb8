package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/heplake/heplake/query"
)

// TestForksAndReinvites places calls that a real Kamailio forks to two phones,
// and calls whose re-INVITE fails, and asks for what became of them: the row of
// the call, the finding of the ladder, and a SIPp scenario that plays.
func TestForksAndReinvites(t *testing.T) {
	for _, program := range []string{"kamailio", "sipp"} {
		need(t, program)
	}
	l := serve(t, t.TempDir())
	l.sql() // as long as the whole test
	ports := freePorts(t, 3)
	portA, portB, portC := ports, ports+1, ports+2
	k := kamailioOf(t, filepath.Join("internal", "e2e", "testdata", "fork.cfg"), `HEPLAKE_URI="sip:`+l.addr["hep_udp"]+`"`,
		sprintf(`PHONE_A="sip:a@127.0.0.1:%d"`, portA), sprintf(`PHONE_B="sip:b@127.0.0.1:%d"`, portB))
	calls := func() *script { return callerScript().opens("group", k.port).may(100, 180) }
	one := func() *script {
		return callerScript().opens("bob", portA).may(100, 180).answered().sends("ACK", 1, "").pauses(50)
	}
	proxied := sprintf("group@127.0.0.1:%d", k.port)
	toA := sprintf("phone@127.0.0.1:%d", portA)
	answers := func(ms int) *script {
		return rings().pauses(ms).answers("", "200 OK", sdp(0)).waits("request", "ACK")
	}
	const refusal = "488 Not Acceptable Here"
	total := 0
	for _, c := range []struct {
		name           string
		caller         *script
		called         []*script // on A, B
		outcome        query.Outcome
		status         uint16
		releasedBy     string
		finding, says  string
		rang, answered int // To tags of 18x, of 200 to the INVITE
		cannotBePlayed bool
	}{
		{
			name: "fork answered", outcome: query.Answered, status: 200, releasedBy: "caller", rang: 2, answered: 1,
			caller:  calls().answered().sends("ACK", 1, "").pauses(50).sends("BYE", 2, "").waits("response", "200"),
			called:  []*script{rings().takes("CANCEL").answers("", "487 Request Terminated", "").waits("request", "ACK"), answers(200).takes("BYE")},
			finding: "forked", says: "2 places",
		},
		{
			// The first phone answers while its CANCEL is under way (RFC 3261 section 9.2):
			// the caller hears of both and hangs up the second at once (section 13.2.2.4).
			name: "fork answered twice", outcome: query.Answered, status: 200, releasedBy: "callee", rang: 2, answered: 2,
			caller: calls().answered().sends("ACK", 1, "").answered().sends("ACK", 1, "").sends("BYE", 2, "").waits("response", "200").takes("BYE"),
			called: []*script{
				rings().takes("CANCEL").pauses(50).answers("", "200 OK", sdp(0)).waits("request", "ACK").takes("BYE"),
				answers(200).pauses(400).sends("BYE", 1, "").waits("response", "200"),
			},
			finding: "forked", says: "2 places",
		},
		{
			name: "fork refused", outcome: query.Failed, status: 603, releasedBy: "callee", rang: 2,
			caller: calls().waits("response", "603").acksFailure(proxied, 1),
			called: []*script{
				rings().answers("", "486 Busy Here", "").waits("request", "ACK"),
				rings().pauses(200).answers("", "603 Decline", "").waits("request", "ACK"),
			},
			finding: "forked", says: "2 places",
		},
		{
			name: "re-INVITE refused", outcome: query.Answered, status: 200, releasedBy: "caller", rang: 1, answered: 1,
			caller: one().sends("INVITE", 2, sdp(18)).may(100).waits("response", "488").acksFailure(toA, 2).pauses(50).
				sends("BYE", 3, "").waits("response", "200"),
			called:  []*script{answers(20).invited("re").answers("re", refusal, "").waits("request", "ACK").takes("BYE")},
			finding: "reinvite_failed", says: "488",
		},
		{
			// Both sides change the call at once: either refuses the other's (RFC 3261
			// section 14.1).
			name: "glare", outcome: query.Answered, status: 200, releasedBy: "caller", rang: 1, answered: 1,
			caller: one().sends("INVITE", 2, sdp(8)).may(100).invited("re").answers("re", "491 Request Pending", "").waits("request", "ACK").
				waits("response", "491").acksFailure(toA, 2).pauses(50).sends("BYE", 3, "").waits("response", "200"),
			called: []*script{answers(20).invited("re").sends("INVITE", 1, sdp(8)).may(100).waits("response", "491").acksFailure("alice@127.0.0.1", 1).
				answers("re", "491 Request Pending", "").waits("request", "ACK").takes("BYE")},
			finding: "glare", says: "at once", cannotBePlayed: true,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			l.t = t
			var phones []*phone
			for i, s := range c.called {
				phones = append(phones, s.play(t, portA+i))
			}
			id := strings.ReplaceAll(c.name, " ", "-")
			phones = append(phones, c.caller.play(t, portC, "-cid_str", id, sprintf("127.0.0.1:%d", k.port)))
			messages := map[string]int{}
			for _, p := range slices.Backward(phones) {
				p.wait(patience)
				readMessages(t, p.log, messages)
			}
			sent := 0
			for _, times := range messages {
				sent += times
			}
			total += sent
			l.drained(total)

			call := l.callRow(id, uint64(sent))
			if call.Outcome != c.outcome || call.FinalStatus != c.status || call.ReleasedBy != c.releasedBy || len(call.CallIDs) != 1 {
				t.Errorf("the call's row is %s %d, released by %s, legs %v; want %s %d, released by %s",
					call.Outcome, call.FinalStatus, call.ReleasedBy, call.CallIDs, c.outcome, c.status, c.releasedBy)
			}
			if (c.outcome == query.Answered) != (call.Answer != nil) || call.Ring == nil || call.End == nil {
				t.Errorf("ring %v, answer %v, end %v", call.Ring, call.Answer, call.End)
			}
			if n := distinctTags(t, l, id, "status BETWEEN 180 AND 189"); n != c.rang {
				t.Errorf("%d places rang, want %d: the test is not what it says", n, c.rang)
			}
			if n := distinctTags(t, l, id, "status = 200 AND cseq_method = 'INVITE' AND cseq = 1"); n != c.answered {
				t.Errorf("%d places answered, want %d: the test is not what it says", n, c.answered)
			}
			var flow query.Flow
			if err := json.Unmarshal([]byte(l.must("flow", id, "-o", "json")), &flow); err != nil {
				t.Fatal(err)
			}
			if !slices.ContainsFunc(flow.Findings, func(f query.Finding) bool {
				return f.Code == c.finding && strings.Contains(f.Text, c.says)
			}) {
				t.Errorf("no finding %s that says %q in %+v", c.finding, c.says, flow.Findings)
			}
			if slices.ContainsFunc(flow.Findings, func(f query.Finding) bool { return f.Code == "malformed" || f.Code == "missing_ack" }) {
				t.Errorf("the phones are not well-behaved: %+v", flow.Findings)
			}
			if len(flow.Items) != sent {
				t.Errorf("%d messages in the ladder, %d sent:\n%s", len(flow.Items), sent, l.must("flow", id))
			}
			if !c.cannotBePlayed {
				playExport(l, id)
			}
		})
		l.t = t
	}
	k.stop()
	l.stop()
}

// callRow waits until the table calls has a row of all of a call's messages,
// and returns what a search says of it.
func (l *lake) callRow(id string, messages uint64) query.Call {
	l.t.Helper()
	eventually(l.t, "the call's row has its messages", func() (bool, string) {
		n, ended := count(l.t, l.sql(), "calls WHERE has(call_ids, ?)", id), count(l.t, l.sql(), "calls WHERE has(call_ids, ?) AND messages = ? AND end IS NOT NULL", id, messages)
		return n == 1 && ended == 1, sprintf("%d rows, %d of %d messages", n, ended, messages)
	})
	var found struct{ Calls []query.Call }
	if err := json.Unmarshal([]byte(l.must("search", `call_id = "`+id+`"`, "-o", "json")), &found); err != nil || len(found.Calls) != 1 {
		l.t.Fatalf("search -o json: %d calls, %v", len(found.Calls), err)
	}
	return found.Calls[0]
}

// distinctTags counts the To tags of a call's messages.
func distinctTags(t *testing.T, l *lake, id, where string) int {
	t.Helper()
	var n uint64
	if err := l.sql().QueryRow(t.Context(), "SELECT uniqExact(to_tag) FROM sip WHERE call_id = ? AND "+where, id).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return int(n)
}

// playExport exports the call as SIPp scenarios and plays both sides.
func playExport(l *lake, id string) {
	l.t.Helper()
	dir := l.t.(*testing.T).TempDir()
	archive := filepath.Join(dir, "call.tar")
	l.must("export", id, "--format", "sipp", "-w", archive)
	if out, err := exec.CommandContext(l.t.Context(), "tar", "-xf", archive, "-C", dir).CombinedOutput(); err != nil {
		l.t.Fatalf("tar: %v\n%s", err, out)
	}
	cmd := exec.CommandContext(l.t.Context(), "sh", "run.sh")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), sprintf("PORT=%d", freePort(l.t)))
	cmd.WaitDelay = time.Second
	if out, err := cmd.CombinedOutput(); err != nil {
		readme, _ := os.ReadFile(filepath.Join(dir, "README"))
		l.t.Errorf("the exported scenario does not play: %v\n%s\n%s", err, out, readme)
	}
}
