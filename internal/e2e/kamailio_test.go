package e2e

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/heplake/heplake/query"
)

// TestKamailio places real calls over a real Kamailio that runs the
// configuration we ship, and asks for them by every door.
func TestKamailio(t *testing.T) {
	for _, program := range []string{"kamailio", "sipp"} {
		need(t, program)
	}
	l := serve(t, t.TempDir())
	db := l.sql()
	const n = 4
	hepTCP := `HEPLAKE_URI="sip:` + l.addr["hep_tcp"] + `;transport=tcp"`
	hepUDP := `HEPLAKE_URI="sip:` + l.addr["hep_udp"] + `"`
	total := 0
	for _, v := range []struct {
		name    string
		sipTCP  bool
		defines []string
		id      uint32
	}{
		{"hep3-udp-sip-udp", false, []string{hepUDP, "HEPLAKE_CAPTURE_ID=101"}, 101},
		{"hep3-udp-sip-tcp", true, []string{hepUDP, "HEPLAKE_CAPTURE_ID=102"}, 102},
		{"hep3-tcp-sip-udp", false, []string{hepTCP, "HEPLAKE_CAPTURE_ID=103"}, 103},
		{"hep2-udp-sip-udp", false, []string{hepUDP, "HEPLAKE_CAPTURE_ID=104", "HEPLAKE_HEP_VERSION=2"}, 104},
	} {
		t.Run(v.name, func(t *testing.T) {
			began := time.Now()
			k := kamailio(t, v.defines...)
			want := calls{proxy: k, tcp: v.sipTCP, id: v.name, n: n, hold: 50 * time.Millisecond, rtp: 30000}.place(t).finish()
			k.stop() // so that it has reported all it will
			sent := 0
			for _, times := range want {
				sent += times
			}
			// Six messages on either side of the proxy for an answered call, four for
			// a refused one; the proxy's own 100 is not sent when the 180 is quicker.
			if least := n/2*(6+6) + n/2*(4+4); sent < least {
				t.Errorf("sipp saw %d messages, the scenario has at least %d", sent, least)
			}
			total += sent
			l.t = t
			l.drained(total)

			rows, err := db.Query(t.Context(), "SELECT raw, toString(transport), time FROM sip WHERE capture_id = ?", v.id)
			if err != nil {
				t.Fatal(err)
			}
			got := 0
			transport := map[bool]string{false: "udp", true: "tcp"}[v.sipTCP]
			for rows.Next() {
				var raw, over string
				var at time.Time
				if err := rows.Scan(&raw, &over, &at); err != nil {
					t.Fatal(err)
				}
				got++
				if want[raw]--; want[raw] < 0 {
					t.Errorf("stored, but not seen by sipp, or too often:\n%s", raw)
				}
				if over != transport {
					t.Errorf("transport %q, want %q", over, transport)
				}
				if at.Before(began.Add(-time.Second)) || at.After(time.Now()) {
					t.Errorf("a message of now is stored under %s", at)
				}
			}
			if err := rows.Err(); err != nil {
				t.Fatal(err)
			}
			for raw, missing := range want {
				if missing > 0 {
					t.Errorf("missing %d times:\n%s", missing, raw)
				}
			}
			if got != sent {
				t.Errorf("%d rows in sip, sipp saw %d messages", got, sent)
			}
			searchCalls(l, v.name, n)
		})
		l.t = t
	}
	nothingThere(l)
	l.stop()
}

// searchCalls finds the calls of one variant by command and by API, and draws
// one of each kind.
func searchCalls(l *lake, id string, n int) {
	l.t.Helper()
	for _, kind := range []struct {
		outcome, labels string
		status          uint16
	}{
		{"answered", "INVITE|180|200|ACK|BYE|200", 200},
		{"failed", "INVITE|180|486|ACK", 486},
	} {
		var found struct{ Calls []query.Call }
		// Calls follow their messages within seconds.
		eventually(l.t, sprintf("search finds %d %s calls", n/2, kind.outcome), func() (bool, string) {
			found.Calls = nil
			out := l.must("search", `call_id like "`+id+`%" and outcome = `+kind.outcome, "-o", "json")
			if err := json.Unmarshal([]byte(out), &found); err != nil {
				l.t.Fatalf("search -o json: %v in %s", err, out)
			}
			done := len(found.Calls) == n/2
			for _, c := range found.Calls {
				done = done && int(c.Messages) == count(l.t, l.sql(), "sip WHERE has(?, call_id)", c.CallIDs)
			}
			return done, out
		})
		call := found.Calls[0]
		if call.FinalStatus != kind.status {
			l.t.Errorf("%s call ended with %d, want %d", kind.outcome, call.FinalStatus, kind.status)
		}
		drawCall(l, call.CallIDs[0], int(call.Messages), strings.Split(kind.labels, "|"))
		homerCall(l, call.CallIDs[0], int(call.Messages))
	}
}

// drawCall checks the ladder of a call: every message is in it, those of the
// caller's side in the order of the scenario.
func drawCall(l *lake, callID string, messages int, labels []string) {
	l.t.Helper()
	var flow query.Flow
	if err := json.Unmarshal([]byte(l.must("flow", callID, "-o", "json")), &flow); err != nil {
		l.t.Fatal(err)
	}
	if stored := count(l.t, l.sql(), "sip WHERE call_id = ?", callID); len(flow.Items) != stored || messages != stored {
		l.t.Errorf("%d messages stored, %d in the ladder, %d in the search", stored, len(flow.Items), messages)
	}
	if n := len(flow.Participants); n != 3 && !(n == 4 && flow.Items[0].Transport == "tcp") { // its port as a client of TCP is another
		l.t.Errorf("participants %v, want caller, proxy and called", flow.Participants)
	}
	// The caller is the first participant; sipp sends its ACK and BYE from there.
	var side []string
	for _, item := range flow.Items {
		if item.Src != 0 && item.Dst != 0 || item.Retransmission || item.Status == 100 {
			continue
		}
		label := item.Method
		if label == "" {
			label = sprintf("%d", item.Status)
		}
		side = append(side, label)
	}
	if !slices.Equal(side, labels) {
		l.t.Errorf("the caller's side of the ladder is %v, want %v", side, labels)
	}
	text := l.must("flow", callID)
	for _, label := range labels {
		if !strings.Contains(text, label) {
			l.t.Errorf("the ladder lacks %s:\n%s", label, text)
		}
	}
	if got := strings.Count(text, "▶") + strings.Count(text, "◀"); got < messages {
		l.t.Errorf("the ladder has %d arrows for %d messages:\n%s", got, messages, text)
	}
	if svg := l.must("flow", callID, "-o", "svg"); !strings.HasPrefix(svg, "<svg") || !strings.Contains(svg, "INVITE") {
		l.t.Errorf("no drawing: %.200s", svg)
	}
}

// homerCall asks for the call as Homer's clients do.
func homerCall(l *lake, callID string, messages int) {
	l.t.Helper()
	now := time.Now()
	body := sprintf(`{"timestamp":{"from":%d,"to":%d},"param":{"search":{"call_id":%q}}}`,
		now.Add(-time.Hour).UnixMilli(), now.Add(time.Minute).UnixMilli(), callID)
	var found struct {
		Data []map[string]any `json:"data"`
	}
	l.answer(http.MethodPost, "/api/v3/search/call", body, &found)
	if len(found.Data) == 0 {
		l.t.Errorf("POST /api/v3/search/call finds nothing for %s", callID)
	}
	for _, row := range found.Data {
		if row["callid"] != callID && row["call_id"] != callID && row["sid"] != callID {
			l.t.Errorf("the search for %s brings %v", callID, row)
		}
	}
	var transaction struct {
		Data struct {
			Messages []map[string]any `json:"messages"`
		} `json:"data"`
	}
	l.answer(http.MethodGet, "/api/v3/call/transaction/"+url.PathEscape(callID), "", &transaction)
	if len(transaction.Data.Messages) != messages {
		l.t.Errorf("GET /api/v3/call/transaction has %d messages, want %d", len(transaction.Data.Messages), messages)
	}
}

// nothingThere asks for what is not there: exit code 3, a line on stderr, 404.
func nothingThere(l *lake) {
	l.t.Helper()
	for _, args := range [][]string{{"search", "from_user = nobody"}, {"flow", "no-such-call"}, {"quality", "no-such-call"}} {
		s := l.cli(args...)
		if s.code != 3 || strings.Count(s.err, "\n") != 1 {
			l.t.Errorf("heplake %s: exit code %d, want 3 and one line on stderr: %q", strings.Join(args, " "), s.code, s.err)
		}
	}
	if s := l.cli("search", "from_user ="); s.code != 1 || strings.Count(s.err, "\n") == 0 {
		l.t.Errorf("a filter that ends too early: exit code %d, want 1 and why: %q", s.code, s.err)
	}
	if code, body := l.get("api", "/api/v3/call/transaction/no-such-call"); code != http.StatusNotFound {
		l.t.Errorf("a transaction that is not there: %d %s", code, body)
	}
}
