package query_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/heplake/heplake/internal/captures"
	"github.com/heplake/heplake/internal/chtest"
	"github.com/heplake/heplake/internal/embedded"
	"github.com/heplake/heplake/query"
	"github.com/heplake/heplake/query/filter"
)

func (l *lake) messages(t *testing.T, r query.MessagesRequest) query.MessagesResult {
	t.Helper()
	if r.From.IsZero() {
		r.From, r.To = capturedFrom, capturedTo
	}
	res, err := l.Messages(t.Context(), r)
	if err != nil {
		t.Fatalf("%+v: %v", r, err)
	}
	return res
}

// brief is a message in short: "INVITE bob 5070>5060".
func brief(m query.Message) string {
	what := m.Method
	if m.Status > 0 {
		what = fmt.Sprint(m.Status)
	}
	return fmt.Sprintf("%s %d>%d", what, m.SrcPort, m.DstPort)
}

// TestEverySearchFieldFindsMessages asks real captures for a message by every
// field of Homer's forms. Each expression finds what Wireshark says, or what
// reading the capture shows.
func TestEverySearchFieldFindsMessages(t *testing.T) {
	l := open(t, failures, dialogs, registers, twoLegs, "kamailio-hep3-sip-tcp-a")
	counts := map[string]int{}
	for _, name := range []string{failures, dialogs, registers, twoLegs, "kamailio-hep3-sip-tcp-a"} {
		for _, tr := range captures.ReadTruth(t, captures.Path(name+".truth.jsonl")) {
			counts["INVITE"] += btoi(tr.First("sip.Method") == "INVITE")
			counts["486"] += btoi(tr.First("sip.Status-Code") == "486")
			counts["all"] += btoi(tr.First("sip.Call-ID") != "")
		}
	}
	raw := l.messages(t, query.MessagesRequest{Filter: "call_id = 1-15155@127.0.0.1 and method = INVITE", Oldest: true, Raw: true}).Messages[0]
	for _, c := range []struct {
		filter string
		want   int // -1: at least one
	}{
		{"", counts["all"]},
		{"method = INVITE", counts["INVITE"]},
		{"status = 486", counts["486"]},
		{"status = 4xx and not status = 486", -1},
		{"reason like \"Busy%\"", -1},
		{"a_number = alice", -1},
		{"b_number = bob", -1},
		{"from_user like \"ali%\" and to_user ~ \"^b\"", -1},
		{"ruri_user = bob and ruri_domain = 127.0.0.1", -1},
		{"call_id = 1-15155@127.0.0.1", 9},
		{"sip.callid = '1-15155@127.0.0.1'", 9},
		{"b2b_callid = 1-16210@127.0.0.1", -1},
		{"from_tag = " + raw.FromTag, 9},
		{"tag = " + raw.FromTag, 9},
		{"to_tag != '' and call_id = 1-15155@127.0.0.1", -1},
		{"branch = " + raw.ViaBranch, -1},
		{"cseq = 2 and cseq_method = BYE", -1},
		{"cseq_method = ACK and method = ACK", -1},
		{"ruri_uri = \"sip:bob@127.0.0.1:5080;transport=UDP\"", -1},
		{"from_uri like \"sip:alice@%\"", -1},
		{"to_uri like \"sip:bob@%\"", -1},
		{"contact_uri like \"sip:%\"", -1},
		{"src_ip = 127.0.0.1 and src_port = 5070", -1},
		{"dst_ip in 127.0.0.0/8 and dst_port = 5080", -1},
		{"ip = 127.0.0.1 and port = 5070", -1},
		{"contact_ip = 127.0.0.1", -1},
		{"contact_port = 5070", -1},
		{"contact_user = alice or contact = alice", -1},
		{"originator_ip in 127.0.0.0/8 and originator_port = 5070", -1},
		{"transport = tcp", -1},
		{"protocol_header.protocol = udp", -1},
		{"auth_user = alice", -1},
		{"content_type = \"application/sdp\"", -1},
		{"content_type like \"application/vq-rtcpxr%\"", -1},
		{"user_agent like \"%sipp%\"", -1},
		{"server ~ \"(?i)kamailio\"", -1},
		{"header.X-CID = 1-16210@127.0.0.1", -1},
		{"header \"Max-Forwards\" = 70", -1},
		{"headers.max-forwards = 69", -1},
		{"header.via ~ \"branch=z9hG4bK\" and header.v ~ \"SIP/2.0/UDP\"", -1},
		{"header.CSeq = \"1 INVITE\" and method = INVITE", -1},
		{"header \"X-Nobody-Sends\" = \"\"", counts["all"]},
		{"header \"X-Nobody-Sends\" != \"\"", 0},
		{"header \"m=audio\" != \"\"", 0}, // a body is no header
		{"raw ~ \"(?i)max-forwards: *70\"", -1},
		{"raw like \"%m=audio%\"", -1},
		{"sdp like \"audio 127.0.0.1:%\"", -1},
		{"capture_id = 2021 or capture_id = 2022", -1},
		{"node = \"\"", counts["all"]},
		{"time > \"2026-11-21 01:00 Europe/Berlin\" and time < \"2026-11-22T00:00:00+02:00\"", counts["all"]},
		{"alice", -1},
		{"\"1-151%\"", -1},
	} {
		got := l.messages(t, query.MessagesRequest{Filter: c.filter, Limit: 5000})
		if got.Truncated != "" || got.Next != "" || (c.want >= 0 && len(got.Messages) != c.want) || (c.want < 0 && (len(got.Messages) == 0 || len(got.Messages) == counts["all"])) {
			t.Errorf("%s: %d messages of %d, want %d; truncated %q", c.filter, len(got.Messages), counts["all"], c.want, got.Truncated)
		}
	}
	// What no capture has.
	l.exec(t, `INSERT INTO sip (time, tenant, correlation_id, own_call_id, method, pai_user, diversion, contact_host, packed) VALUES
		('2026-11-21 00:00:00', 't', 'own', 'own', 'INVITE', '+4930123', '4930999', '[2001:db8::7]', 'INVITE sip:x SIP/2.0\r\nDiversion: <sip:4930999@a>\r\nSubject: one\r\n two \r\n\r\nX-Body: 1\r\n')`)
	for _, f := range []string{
		"pai = +4930123", "pid_user like \"+4930%\"", "diversion = 4930999", "header.diversion ~ 4930999", "contact_ip in 2001:db8::/32",
		"header.s = \"one\\r\\n two\"", "not header.X-Body = 1 and tenant = t", "ruri_uri = sip:x",
	} {
		if got := l.messages(t, query.MessagesRequest{Filter: f, Tenant: "t"}); len(got.Messages) != 1 || got.Messages[0].CallID != "own" {
			t.Errorf("%s: %d messages", f, len(got.Messages))
		}
	}
	// The calls of the same.
	for _, f := range []string{"header.X-CID = 1-16210@127.0.0.1", "call_id = \"!!:hmx-B7.-h86-h7pyhAaIM78*\"", "b2b_callid = 1-16210@127.0.0.1"} {
		if got := l.search(t, f); len(got) != 1 || got[0].CallIDs[0] != "1-16210@127.0.0.1" {
			t.Errorf("%s: calls %q", f, ids(got))
		}
	}
	if got := l.search(t, "duration > 100ms and duration < 1h and setup_time < 5s"); len(got) == 0 {
		t.Error("no call by duration and setup time")
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func TestMessageFields(t *testing.T) {
	l := open(t, failures)
	got := l.messages(t, query.MessagesRequest{Filter: "call_id = 1-15155@127.0.0.1", Oldest: true, Raw: true}).Messages
	var lines []string
	for _, m := range got {
		lines = append(lines, brief(m))
		if string(m.RawBytes) != m.Raw || !strings.Contains(m.Raw, "Call-ID: 1-15155@127.0.0.1") || m.ID == 0 || m.ID >= 1<<53 {
			t.Errorf("message %+v", m)
		}
		again := l.messages(t, query.MessagesRequest{IDs: []uint64{m.ID}}).Messages
		if len(again) != 1 || again[0].ID != m.ID || again[0].Raw != "" || !again[0].Time.Equal(m.Time) {
			t.Errorf("by id %d: %+v", m.ID, again)
		}
	}
	wantLines(t, lines, []string{"INVITE 5070>5060", "100 5060>5070", "INVITE 5060>5080", "180 5080>5060", "180 5060>5070", "486 5080>5060", "ACK 5060>5080", "486 5060>5070", "ACK 5070>5060"})
	m := got[0]
	if m.FromUser != "alice" || m.ToUser != "bob" || m.CSeq != 1 || m.CSeqMethod != "INVITE" || m.Transport != "udp" || m.SrcIP != netip.MustParseAddr("127.0.0.1") || m.CaptureID != 2001 || !strings.HasPrefix(m.SDP, "audio ") {
		t.Errorf("message %+v", m)
	}
}

// TestPagesSurviveInserts lists messages page by page, while others arrive
// before, behind and among them: each is listed once, none is passed over.
func TestPagesSurviveInserts(t *testing.T) {
	l := open(t)
	insert := func(from, n int, callID string) {
		t.Helper()
		// Ten messages each share a microsecond, and every fifth is there twice, alike.
		l.exec(t, fmt.Sprintf(`INSERT INTO sip (time, tenant, correlation_id, own_call_id, method, cseq)
			SELECT toDateTime64('2026-11-21 00:00:00', 6, 'UTC') + toIntervalMicrosecond(intDiv(number, 10) * 700000), 't', '%s', '%s', 'OPTIONS', number - number %% 5 * (number %% 5 = 1)
			FROM numbers(%d, %d)`, callID, callID, from, n))
	}
	for _, oldest := range []bool{false, true} {
		insert(0, 500, fmt.Sprint("a", oldest))
		r := query.MessagesRequest{Filter: fmt.Sprintf("call_id like 'a%t'", oldest), From: capturedFrom, Oldest: oldest, Limit: 7, Raw: true}
		r.To = time.Date(2026, 11, 21, 0, 1, 0, 0, time.UTC)
		var got []query.Message
		for pages := 0; ; pages++ {
			res, err := l.Messages(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, res.Messages...)
			if (res.Next == "") != (res.Truncated == "") {
				t.Fatalf("next %q, truncated %q", res.Next, res.Truncated)
			}
			if res.Next == "" {
				break
			}
			if len(res.Messages) != 7 || pages > 80 {
				t.Fatalf("page %d has %d messages", pages, len(res.Messages))
			}
			r.Cursor, r.To = res.Next, r.To.Add(time.Hour) // the first page's window holds
			if pages == 20 {
				insert(0, 500, "b") // others
				l.exec(t, fmt.Sprintf("INSERT INTO sip (time, tenant, own_call_id, method) VALUES ('2026-11-21 00:30:00', 't', 'a%t', 'OPTIONS')", oldest))
			}
		}
		if len(got) != 500 {
			t.Errorf("oldest %t: %d messages, want 500", oldest, len(got))
		}
		counts := map[uint64]int{}
		for i, m := range got {
			counts[m.ID]++
			if i > 0 && got[i-1].Time != m.Time && got[i-1].Time.Before(m.Time) != oldest {
				t.Fatalf("oldest %t: out of order at %d", oldest, i)
			}
		}
		if len(counts) != 400 { // every fifth twice
			t.Errorf("oldest %t: %d different messages, want 400", oldest, len(counts))
		}
	}
}

// TestUniqueMessages leaves out retransmissions and copies, also over pages.
func TestUniqueMessages(t *testing.T) {
	l := open(t, lossy, twoLegs)
	want := map[string]bool{}
	for _, m := range l.messages(t, query.MessagesRequest{Limit: 1000}).Messages {
		want[fmt.Sprint(m.CallID, m.Method, m.Status, m.CSeq, m.CSeqMethod, m.FromTag, m.ToTag, m.SDP, m.SrcPort, m.DstPort, m.ViaBranch)] = true
	}
	for _, oldest := range []bool{false, true} {
		for _, limit := range []int{1000, 5} {
			r := query.MessagesRequest{Limit: limit, Unique: true, Oldest: oldest}
			got := map[string]int{}
			for pages := 0; pages < 200; pages++ {
				res := l.messages(t, r)
				for _, m := range res.Messages {
					got[fmt.Sprint(m.CallID, m.Method, m.Status, m.CSeq, m.CSeqMethod, m.FromTag, m.ToTag, m.SDP, m.SrcPort, m.DstPort, m.ViaBranch)]++
				}
				if r.Cursor = res.Next; r.Cursor == "" {
					break
				}
			}
			twice := 0
			for _, n := range got {
				twice += n - 1
			}
			if len(got) != len(want) || twice != 0 || len(want) == 152 {
				t.Errorf("oldest %t, by %d: %d messages, %d listed again; want %d", oldest, limit, len(got), twice, len(want))
			}
		}
	}
}

func TestMessagesRefuse(t *testing.T) {
	l := open(t, failures)
	first := l.messages(t, query.MessagesRequest{Limit: 2, Filter: "method = INVITE"})
	changed := []byte(first.Next)
	changed[10] ^= 1
	for name, r := range map[string]query.MessagesRequest{
		"a negative limit":                  {Limit: -1},
		"a huge limit":                      {Limit: query.MaxMessages + 1},
		"a window backwards":                {From: capturedTo, To: capturedFrom},
		"no cursor":                         {Cursor: "x"},
		"a cursor with a bit of it changed": {Cursor: string(changed), Filter: "method = INVITE"},
		"another search's cursor":           {Cursor: first.Next, Filter: "method = BYE"},
		"another tenant's cursor":           {Cursor: first.Next, Filter: "method = INVITE", Tenant: "x"},
		"another order's cursor":            {Cursor: first.Next, Filter: "method = INVITE", Oldest: true},
	} {
		if _, err := l.Messages(t.Context(), r); !errors.Is(err, query.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	var fe *filter.Error
	if _, err := l.Messages(t.Context(), query.MessagesRequest{Filter: "outcome = failed"}); !errors.As(err, &fe) || fe.Pos != 0 {
		t.Errorf("a field of calls: %v", err)
	}
	if got := l.messages(t, query.MessagesRequest{Tenant: "nobody"}); len(got.Messages) != 0 || got.Messages == nil || got.Truncated != "" {
		t.Errorf("another tenant: %+v", got)
	}
	if got := l.messages(t, query.MessagesRequest{Cursor: first.Next, Filter: "method = INVITE", Limit: 3}); len(got.Messages) != 3 {
		t.Errorf("a next page of another size has %d messages", len(got.Messages))
	}
}

// TestMessagesAreBounded runs out of time and memory, and is cancelled.
func TestMessagesAreBounded(t *testing.T) {
	l := open(t)
	l.exec(t, "INSERT INTO sip (time, tenant, method, own_call_id, packed) SELECT toDateTime64('2026-11-21 12:00:00', 6, 'UTC') - toIntervalMicrosecond(number * 1000), 't', 'OPTIONS', toString(number), repeat(toString(number), 50) FROM numbers(400000)")
	address := chtest.URL(t)
	from, to := capturedFrom, time.Date(2026, 11, 21, 12, 0, 1, 0, time.UTC)
	small := l.store(t, address, query.Options{MaxMemory: 100})
	if _, err := small.Messages(t.Context(), query.MessagesRequest{From: from, To: to}); !errors.Is(err, query.ErrTooExpensive) {
		t.Errorf("a memory limit: %v", err)
	}
	var never []string
	for i := range 300 {
		never = append(never, fmt.Sprintf(`raw ~ "(%d.*){9}x%d$"`, i%10, i))
	}
	slow := "call_id = 5 or (" + strings.Join(never, " or ") + ")"
	slow = strings.Replace(slow, "call_id = 5", "call_id like '5'", 1)
	quick := l.store(t, address, query.Options{MaxTime: time.Second})
	res, err := quick.Messages(t.Context(), query.MessagesRequest{From: from, To: to, Filter: slow})
	switch {
	case errors.Is(err, query.ErrTooExpensive):
	case err != nil || !strings.HasPrefix(res.Truncated, "time: ") || res.Next == "":
		t.Errorf("a time limit: %v, truncated %q", err, res.Truncated)
	}
	running := func() (n uint64) {
		t.Helper()
		if err := l.db.QueryRow(t.Context(), "SELECT count() FROM system.processes WHERE query LIKE '%"+l.name+"%sip%match%' AND query NOT LIKE '%system.processes%'").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	wait := func(until func(uint64) bool, what string) {
		t.Helper()
		for deadline := time.Now().Add(10 * time.Second); !until(running()); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%d queries run, want %s", running(), what)
			}
		}
	}
	none := func(n uint64) bool { return n == 0 }
	wait(none, "none")
	for _, s := range []*query.Store{l.Store, l.store(t, chtest.Server(t).NativeURL(embedded.Owner), query.Options{})} {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() {
			_, err := s.Messages(ctx, query.MessagesRequest{From: from, To: to, Filter: slow})
			done <- err
		}()
		wait(func(n uint64) bool { return n > 0 }, "one")
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
		wait(none, "none") // the server stops as well
	}
}

// TestEveryFieldWithEveryOperator runs each field with each of its operators on
// ClickHouse, of messages and of calls.
func TestEveryFieldWithEveryOperator(t *testing.T) {
	l := open(t, failures)
	values := map[filter.Type]string{filter.String: `"x"`, filter.List: `"x"`, filter.Number: "5", filter.Address: "10.0.0.1", filter.Timestamp: `"2026-11-21"`}
	ask := func(target *filter.Target, ask func(expr string) error) {
		t.Helper()
		fields := target.Fields()
		for _, name := range []string{"header.X", "hep.vlan"} {
			f, _ := target.Field(name)
			fields = append(fields, f)
		}
		for _, f := range fields {
			value := values[f.Type]
			if len(f.Values) > 0 {
				value = f.Values[0]
			}
			var parts []string
			for _, op := range f.Ops() {
				v := value
				if len(f.Values) > 0 && (op == filter.Like || op == filter.Match) {
					v = `"x"`
				}
				parts = append(parts, f.Name+" "+op.String()+" "+v)
			}
			if err := ask(strings.Join(parts, " or ")); err != nil {
				t.Errorf("%s: %.300v", f.Name, err)
			}
		}
	}
	ask(filter.Messages, func(expr string) error {
		_, err := l.Messages(t.Context(), query.MessagesRequest{Filter: expr, From: capturedFrom, To: capturedTo, Unique: true})
		return err
	})
	var all []string
	ask(filter.Calls, func(expr string) error {
		all = append(all, "("+expr+")")
		return nil
	})
	for part := range slices.Chunk(all, 12) {
		if _, err := l.Calls(t.Context(), query.CallsRequest{Filter: strings.Join(part, " or "), From: capturedFrom, To: capturedTo}); err != nil {
			t.Errorf("%.300v", err)
		}
	}
}
