package query_test

import (
	"testing"

	"github.com/heplake/heplake/query"
)

// TestEveryFieldFinds asks for what Homer's simple and advanced forms ask for, in
// the words people have for it, on real traffic: single messages, and the calls
// they belong to.
func TestEveryFieldFinds(t *testing.T) {
	l := open(t, failures, dialogs, twoLegs, registers, withMedia, "kamailio-hep3-sip-tcp-a", "kamailio-hep3-sip-websocket-jssip-a", "kamailio-hep3-udp-sip-calls-a", "kamailio-hep3-udp-rfc4475-torture-a")
	for i, filter := range []string{
		"anumber = alice", "bnumber = bob", "caller = alice and callee = bob", `pai != ""`, "contact = alice", "contact_host = 127.0.0.1", "contact_ip in 127.0.0.0/8",
		"contact_port = 5070", "auth_user = alice", "callid = 1-16207@127.0.0.1", "b2b_call_id = 1-16207@127.0.0.1", "from_tag = 16207c1", "to_tag = 16206s1", "tag = 16206s1",
		`branch like "z9hG4bK-16207%"`, "method = REFER", "method = PRACK", "status = 486", "status = 4xx", "status in (486, 6xx)", `reason = "Busy Here"`,
		`ruri_uri like "sip:bob@%"`, `from_uri like "sip:alice@lab%"`, `to_uri like "sip:bob@%"`, "ruri = bob", "ruri_domain = 127.0.0.1", "src_ip = 127.0.0.1", "dst_ip in 10.99.0.0/16",
		"src_port = 5070", "dst_port > 5070", "port = 5089", "originator_ip = 127.0.0.1", "originator_port = 5070", "protocol = tcp", "protocol = ws", `diversion != ""`,
		"cseq = 2", "cseq_method = BYE", "content_type = application/sdp", `ua ~ "sipp-3"`, `server like "Kamailio%"`, `header "X-CID" = 1-16207@127.0.0.1`, "header.Max-Forwards = 69",
		`raw like "%a=sendonly%"`, `text ~ "a=(sendonly|inactive)"`, "q850 = 17", `reason_header like "%cause=17%"`, "expires > 60", `parse_error != ""`, `sdp like "%PCMA%"`,
		"capture_id = 2001", "user = alice", "domain = lab.test", `"alice"`, "data_header.from_user = alice", "sip.status = 486 or net.src_port = 5070",
		"from_user = carol and not (method = REFER or status = 4xx)",
	} {
		m, err := l.Messages(t.Context(), query.MessagesRequest{Filter: filter, From: capturedFrom, To: capturedTo, Limit: 10})
		if err != nil || len(m.Messages) == 0 {
			t.Errorf("%s: %d messages, %v", filter, len(m.Messages), err)
		}
		// Calls are found by their messages: every fourth will do.
		if i%4 == 0 && len(l.search(t, filter)) == 0 {
			t.Errorf("%s: no call", filter)
		}
	}
	for _, filter := range []string{
		"duration > 1s", "setup_time < 2ms", "pdd_ms > 1", "srd > 2ms", "ring_time > 100ms", "mos >= 4", "jitter < 5", "loss = 0", "outcome = cancelled", "final_status = 408",
		"released_by = caller", "retransmissions > 1", "messages > 25", "codecs = PCMU", "tries > 1", "hops >= 3", "not outcome = answered and (from_user = alice or to_user = dave)",
	} {
		if len(l.search(t, filter)) == 0 {
			t.Errorf("%s: no call", filter)
		}
	}
	// What came a minute ago is looked at by its messages; this is about what is older.
	if err := l.DB.Exec(t.Context(), "TRUNCATE TABLE leg_digests"); err != nil {
		t.Fatal(err)
	}
	// Every call either has a message with a value, or none has: the two are all.
	with, without := len(l.search(t, `pai_user != ""`)), len(l.search(t, `pai_user = ""`))
	if all := len(l.search(t, "")); with == 0 || with+without != all {
		t.Errorf("%d calls with an asserted identity, %d without, of %d", with, without, all)
	}
}
