package query_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/heplake/heplake/internal/captures"
	"github.com/heplake/heplake/query"
)

func (l *lake) flow(t *testing.T, r query.FlowRequest) *query.Flow {
	t.Helper()
	f, err := l.Flow(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// sketch draws a flow in short: "0>1 INVITE bob".
func sketch(f *query.Flow) []string {
	var out []string
	for _, it := range f.Items {
		s := fmt.Sprintf("%d>%d %s", it.Src, it.Dst, it.Label)
		if it.Retransmission {
			s += " (again)"
		}
		if it.Copy {
			s += " (copy)"
		}
		out = append(out, s)
	}
	return out
}

func wantLines(t *testing.T, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestFlowOfBothLegs asks for a call by each leg's Call-ID.
func TestFlowOfBothLegs(t *testing.T) {
	l := open(t, twoLegs)
	const legA, legB = "1-16210@127.0.0.1", "!!:hmx-B7.-h86-h7pyhAaIM78*"
	f := l.flow(t, query.FlowRequest{ID: legA})
	wantLines(t, sketch(f), []string{
		"0>1 INVITE bob",
		"1>0 100 trying -- your call is important to us",
		"1>2 INVITE bob",
		"1>2 INVITE bob (copy)",
		"2>1 100 trying -- your call is important to us",
		"2>1 100 trying -- your call is important to us (copy)",
		"2>3 INVITE bob",
		"3>2 180 Ringing",
		"2>1 180 Ringing",
		"2>1 180 Ringing (copy)",
		"1>0 180 Ringing",
		"3>2 486 Busy Here",
		"2>3 ACK",
		"2>1 486 Busy Here",
		"2>1 486 Busy Here (copy)",
		"1>2 ACK",
		"1>2 ACK (copy)",
		"1>0 486 Busy Here",
		"0>1 ACK",
	})
	wantLegs := []query.Leg{
		{CallID: legA, Messages: 5, LinkedBy: "asked", Confidence: 1},
		{CallID: legB, Messages: 14, LinkedBy: "correlation_id", LinkValue: legA, Reason: "x-cid", Confidence: 1},
	}
	if !reflect.DeepEqual(f.Legs, wantLegs) {
		t.Errorf("legs %+v", f.Legs)
	}
	var participants []string
	for _, p := range f.Participants {
		participants = append(participants, p.Address+" "+p.Name)
	}
	wantLines(t, participants, []string{"127.0.0.1:5070 sipp-3.6.1 lab", "127.0.0.1:5060 Kamailio lab A", "127.0.0.1:5062 Kamailio lab A", "127.0.0.1:5080 sipp-3.6.1 lab-uas"})
	if c := f.Call; c.Outcome != query.Failed || c.FinalStatus != 486 || !slices.Equal(c.CallIDs, []string{legA, legB}) || c.Messages != 19 {
		t.Errorf("call %+v", c)
	}

	other := l.flow(t, query.FlowRequest{ID: legB})
	wantLegs[0].LinkedBy, wantLegs[0].LinkValue = "correlation_id", legA
	wantLegs[1].LinkedBy, wantLegs[1].LinkValue = "asked", ""
	if !reflect.DeepEqual(other.Legs, wantLegs) {
		t.Errorf("legs by leg B %+v", other.Legs)
	}
	other.Legs = f.Legs
	if !reflect.DeepEqual(other, f) {
		t.Error("asking by leg B gives another flow")
	}
	within := l.flow(t, query.FlowRequest{ID: legB, From: f.Call.Start.Add(50 * time.Millisecond), To: f.Call.Start.Add(60 * time.Millisecond)})
	within.Legs = f.Legs
	if !reflect.DeepEqual(within, f) {
		t.Error("asking with a window gives another flow")
	}
}

// TestFlowsAreWhole checks that the flow of every call of the captures has every
// message that Wireshark counts for its Call-IDs, byte for byte, each once, and
// that times, offsets and indexes agree.
func TestFlowsAreWhole(t *testing.T) {
	names := []string{failures, dialogs, lossy, twoLegs, registers}
	l := open(t, names...)
	want := map[string]int{}
	for _, name := range names {
		for _, tr := range captures.ReadTruth(t, captures.Path(name+".truth.jsonl")) {
			if id := tr.First("sip.Call-ID"); id != "" {
				want[id]++
			}
		}
	}
	got := map[string]int{}
	for _, c := range l.search(t, "") {
		f := l.flow(t, query.FlowRequest{ID: c.CallIDs[0]})
		if f.Truncated != "" || !reflect.DeepEqual(f.Call, c) {
			t.Errorf("%s: truncated %q; the flow's call is\n%+v, the search's\n%+v", c.CallIDs[0], f.Truncated, f.Call, c)
		}
		retransmissions := uint64(0)
		for i, it := range f.Items {
			got[it.CallID]++
			if it.Index != i || f.Legs[it.Leg].CallID != it.CallID || !strings.Contains(it.Raw, it.CallID) || string(it.RawBytes) != it.Raw {
				t.Errorf("item %d of %s is %+v", i, c.CallIDs[0], it)
			}
			if it.OffsetUs != it.Time.Sub(f.Items[0].Time).Microseconds() || (i > 0 && it.DeltaUs != it.Time.Sub(f.Items[i-1].Time).Microseconds()) {
				t.Errorf("item %d of %s: offset %d, delta %d", i, c.CallIDs[0], it.OffsetUs, it.DeltaUs)
			}
			if it.Retransmission {
				retransmissions++
			}
		}
		if retransmissions != c.Retransmissions {
			t.Errorf("%s: %d retransmissions in the flow, %d in the call", c.CallIDs[0], retransmissions, c.Retransmissions)
		}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("messages by Call-ID: got %v, want %v", got, want)
	}
}

// TestFlowOrder checks that what is reported in the wrong order is put right,
// and nothing else moved.
func TestFlowOrder(t *testing.T) {
	l := open(t)
	l.exec(t, `INSERT INTO sip (time, tenant, capture_id, correlation_id, own_call_id, src_ip, dst_ip, src_port, dst_port, method, status, reason, cseq, cseq_method, own_branch, to_tag) VALUES
		('2026-11-21 00:00:00.000', 't', 1, 'c', 'c', '::ffff:10.0.0.1', '::ffff:10.0.0.2', 1, 2, 'INVITE', 0, '', 1, 'INVITE', 'b1', ''),
		('2026-11-21 00:00:00.001', 't', 1, 'c', 'c', '::ffff:10.0.0.3', '::ffff:10.0.0.2', 3, 2, '', 100, 'Trying', 1, 'INVITE', 'b2', ''),
		('2026-11-21 00:00:00.003', 't', 1, 'c', 'c', '::ffff:10.0.0.2', '::ffff:10.0.0.3', 2, 3, 'INVITE', 0, '', 1, 'INVITE', 'b2', ''),
		('2026-11-21 00:00:01.000', 't', 1, 'c', 'c', '::ffff:10.0.0.2', '::ffff:10.0.0.1', 2, 1, '', 180, 'Ringing', 1, 'INVITE', 'b1', 'x'),
		('2026-11-21 00:00:01.002', 't', 1, 'c', 'c', '::ffff:10.0.0.3', '::ffff:10.0.0.2', 3, 2, '', 180, 'Ringing', 1, 'INVITE', 'b2', 'x'),
		('2026-11-21 00:00:02.000', 't', 1, 'c', 'c', '::ffff:10.0.0.3', '::ffff:10.0.0.2', 3, 2, '', 486, 'Busy', 1, 'INVITE', 'b2', 'x'),
		('2026-11-21 00:00:02.000', 't', 1, 'c', 'c', '::ffff:10.0.0.2', '::ffff:10.0.0.3', 2, 3, 'ACK', 0, '', 1, 'ACK', 'b2', 'x'),
		('2026-11-21 00:00:02.000', 't', 1, 'c', 'c', '::ffff:10.0.0.2', '::ffff:10.0.0.1', 2, 1, '', 486, 'Busy', 1, 'INVITE', 'b1', 'x'),
		('2026-11-21 00:00:01.990', 't', 1, 'c', 'c', '::ffff:10.0.0.1', '::ffff:10.0.0.2', 1, 2, 'ACK', 0, '', 1, 'ACK', 'b1', 'x'),
		('2026-11-21 00:00:05.000', 't', 1, 'c', 'c', '::ffff:10.0.0.2', '::ffff:10.0.0.1', 2, 1, '', 200, 'OK', 9, 'INFO', 'b9', 'x'),
		('2026-11-21 00:00:09.000', 't', 1, 'c', 'c', '::ffff:10.0.0.1', '::ffff:10.0.0.2', 1, 2, 'INFO', 0, '', 9, 'INFO', 'b9', 'x')`)
	f := l.flow(t, query.FlowRequest{ID: "c"})
	wantLines(t, sketch(f), []string{
		"0>1 INVITE",
		"1>2 INVITE",
		"2>1 100 Trying",
		"2>1 180 Ringing",
		"1>0 180 Ringing",
		"2>1 486 Busy",
		"1>0 486 Busy",
		"0>1 ACK",
		"1>2 ACK",    // at the same time as the two before it
		"1>0 200 OK", // four seconds are no disagreement of clocks
		"0>1 INFO",
	})
	if f.Items[1].DeltaUs != 3000 || f.Items[2].DeltaUs != -2000 {
		t.Errorf("deltas %d and %d", f.Items[1].DeltaUs, f.Items[2].DeltaUs)
	}
}

func TestFlowWithMediaAndEvents(t *testing.T) {
	l := open(t, withMedia, withEvents)
	var id string
	if err := l.db.QueryRow(t.Context(), "SELECT any(call_id) FROM media WHERE source = 'rtcp' AND ssrc != reporter").Scan(&id); err != nil {
		t.Fatal(err)
	}
	plain := l.flow(t, query.FlowRequest{ID: id, Events: true})
	f := l.flow(t, query.FlowRequest{ID: id, Media: true, Events: true})
	reports := 0
	for _, it := range f.Items {
		if it.Kind == query.KindMedia {
			reports++
			if (!strings.HasPrefix(it.Label, "RTCP ") && !strings.HasPrefix(it.Label, "X-RTP-STAT ")) || it.Leg != 0 || it.CallID != id || it.Raw == "" {
				t.Errorf("report %+v", it)
			}
		}
	}
	var stored uint64
	if err := l.db.QueryRow(t.Context(), "SELECT count() FROM media WHERE call_id = $1", id).Scan(&stored); err != nil {
		t.Fatal(err)
	}
	if reports == 0 || uint64(reports) != stored || len(f.Items) != len(plain.Items)+reports {
		t.Errorf("%d reports in the flow, %d stored, %d items and %d without", reports, stored, len(f.Items), len(plain.Items))
	}

	if err := l.db.QueryRow(t.Context(), "SELECT any(call_id) FROM events WHERE type_name = 'log'").Scan(&id); err != nil {
		t.Fatal(err)
	}
	f = l.flow(t, query.FlowRequest{ID: id, Events: true})
	i := slices.IndexFunc(f.Items, func(it query.Item) bool { return it.Kind == query.KindEvent })
	if i < 0 || !strings.HasPrefix(f.Items[i].Label, "log NOTICE:") || f.Items[i].Leg != 0 {
		t.Errorf("no log record in %q", sketch(f))
	}
}

func TestFlowBounds(t *testing.T) {
	l := open(t, failures)
	for _, id := range []string{"", "nobody@example.com", "' OR 1 = 1 --"} {
		if _, err := l.Flow(t.Context(), query.FlowRequest{ID: id}); !errors.Is(err, query.ErrNotFound) {
			t.Errorf("%q: %v", id, err)
		}
	}
	if _, err := l.Flow(t.Context(), query.FlowRequest{ID: "1-15171@127.0.0.1", Tenant: "other"}); !errors.Is(err, query.ErrNotFound) {
		t.Errorf("another tenant's: %v", err)
	}
	if _, err := l.Flow(t.Context(), query.FlowRequest{ID: "x", MaxMessages: -1}); !errors.Is(err, query.ErrInvalid) {
		t.Errorf("a negative limit: %v", err)
	}
	f := l.flow(t, query.FlowRequest{ID: "1-15171@127.0.0.1", MaxMessages: 5})
	if len(f.Items) != 5 || f.Truncated == "" || f.Call.Messages != 21 {
		t.Errorf("%d items of %d, truncated %q", len(f.Items), f.Call.Messages, f.Truncated)
	}
	// An agent that gives every call the same correlation id.
	l.exec(t, `INSERT INTO sip (time, tenant, correlation_id, own_call_id, method, cseq, cseq_method)
		SELECT toDateTime64('2026-11-21 00:00:00', 6) + number, 't', 'same', toString(number), 'OPTIONS', 1, 'OPTIONS' FROM numbers(2000)`)
	f = l.flow(t, query.FlowRequest{ID: "7"})
	if !strings.HasPrefix(f.Truncated, "legs") {
		t.Errorf("%d legs, truncated %q", len(f.Legs), f.Truncated)
	}
}
