package digest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/heplake/heplake/internal/calls"
)

var start = time.Date(2026, 11, 21, 3, 9, 58, 0, time.UTC)

func host(s string) [16]byte { return netip.MustParseAddr(s).As16() }

// call is a call over two hops, with an SDP of either side, some seconds of which
// are in the next slot.
func call() []Message {
	ms := func(n int) int64 { return start.Add(time.Duration(n) * time.Millisecond).UnixMicro() }
	base := Message{
		CallID: []byte("c1@a"), CorrelationID: []byte("c1@a"), Node: []byte("sbc"), CaptureID: 7, CSeqMethod: []byte("INVITE"), CSeq: 1, Transport: []byte("udp"),
		FromUser: []byte("alice"), FromDomain: []byte("a.example"), ToUser: []byte("bob"), ToDomain: []byte("b.example"), FromTag: []byte("ft"),
		SrcPort: 5060, DstPort: 5060, ViaHost: []byte("10.0.0.1"),
	}
	hop := func(m Message, at int, method string, status uint16, src, dst, branch string) Message {
		m.Time, m.Method, m.Status, m.Src, m.Dst, m.ViaBranch = ms(at), nil, status, host(src), host(dst), []byte(branch)
		if status == 0 {
			m.Method = []byte(method)
		}
		m.CSeqMethod = []byte(method)
		return m
	}
	const a, p, b = "10.0.0.1", "10.0.0.2", "2001:db8::3"
	invite := base
	invite.UserAgent, invite.SDP, invite.RURIUser = []byte("phone/1"), []byte("audio 10.0.0.1:4000 PCMU sendrecv"), []byte("bob")
	invite.ContactUser, invite.ContactHost, invite.ContactPort = []byte("alice"), []byte("10.0.0.1"), 5061
	second := invite
	second.RURIUser, second.Links = []byte("bob2"), [][]byte{[]byte("x-cid:other@a")}
	ok := base
	ok.ToTag, ok.Reason, ok.SDP, ok.Server = []byte("tt"), []byte("OK"), []byte("audio 10.0.0.9:5000 PCMU sendrecv, video 10.0.0.9:5002 H264 sendrecv"), []byte("box")
	bye := base
	bye.ToTag, bye.CSeq, bye.Q850 = []byte("tt"), 2, 16
	gone := bye
	gone.Reason, gone.Q850 = []byte("OK"), 0
	return []Message{
		hop(second, 1, "INVITE", 0, p, b, "z2"), // before the first hop, as the second's clock is ahead
		hop(invite, 3, "INVITE", 0, a, p, "z1"),
		hop(base, 20, "INVITE", 100, p, a, "z1"),
		hop(ok, 1500, "INVITE", 200, b, p, "z2"),
		hop(ok, 1501, "INVITE", 200, p, a, "z1"),
		hop(bye, 4000, "BYE", 0, a, p, "z3"),
		hop(gone, 4020, "BYE", 200, p, a, "z3"),
	}
}

func reports() []Report {
	return []Report{
		{Time: start.Add(time.Second).UnixMicro(), Src: host("10.0.0.1"), SrcPort: 4001, SSRC: 5, Reporter: 6, MOS: 4.25, Loss: 0.5, JitterMs: 8, RTTMs: 20, Reception: true},
		{Time: start.Add(5 * time.Second).UnixMicro(), Src: host("10.0.0.1"), SrcPort: 4001, SSRC: 5, Reporter: 6, MOS: 3.25},
	}
}

// rows are the digests of a builder's rows by Call-ID, one behind the other.
func rows(b *Builder) (digests map[string][]byte, kinds Kinds) {
	digests = map[string][]byte{}
	for i := range b.Len() {
		r := b.Row(i)
		digests[string(r.CallID)] = append(digests[string(r.CallID)], r.Digest...)
		kinds |= r.Kinds
	}
	return digests, kinds
}

func decode(t *testing.T, b []byte) *Leg {
	t.Helper()
	var d Decoder
	l, err := d.Decode("default", "c1@a", b)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestLeg(t *testing.T) {
	var b Builder
	for _, m := range call() {
		b.Message(&m)
	}
	for _, r := range reports() {
		b.Report([]byte("c1@a"), &r)
	}
	digests, kinds := rows(&b)
	if kinds != OfCall|Reports|Decisive|Opens|Linked|Over || b.Len() != 2 {
		t.Errorf("%d rows of kinds %b", b.Len(), kinds)
	}
	l := decode(t, digests["c1@a"])
	o := l.Opening
	want := calls.Opening{
		Time: start.Add(3 * time.Millisecond), Method: "INVITE", FromUser: "alice", FromDomain: "a.example", ToUser: "bob", ToDomain: "b.example", RuriUser: "bob",
		ContactUser: "alice", ContactHost: "10.0.0.1", ContactPort: 5061, Src: netip.MustParseAddrPort("10.0.0.1:5060"), Dst: netip.MustParseAddrPort("10.0.0.2:5060"),
		Transport: "udp", UserAgent: "phone/1",
	}
	if o != want {
		t.Errorf("opening %+v, want that of the first hop: %+v", o, want)
	}
	if !l.Opened || l.Messages != 7 || !l.First.Equal(start.Add(time.Millisecond)) || !l.Last.Equal(start.Add(4020*time.Millisecond)) {
		t.Errorf("opened %v, %d messages from %v to %v", l.Opened, l.Messages, l.First, l.Last)
	}
	first, answer := l.Events[0], l.Events[4]
	if first.Method != calls.Invite || first.Status != 0 || first.CSeq != 1 || first.ToTag != 0 || first.FromTag == 0 || first.Branch == 0 || l.SDPs[first.SDP] != l.Offered ||
		l.Addresses[first.Src] != netip.MustParseAddrPort("10.0.0.2:5060") || l.Addresses[first.Dst] != netip.MustParseAddrPort("[2001:db8::3]:5060") {
		t.Errorf("first event %+v of %v", first, l.Addresses)
	}
	if answer.Method != calls.Invite || answer.Status != 200 || answer.FromTag != first.FromTag || answer.ToTag == 0 || answer.Branch == first.Branch || answer.Dst != l.Events[1].Src {
		t.Errorf("answer %+v", answer)
	}
	if l.Offered != "audio 10.0.0.1:4000 PCMU sendrecv" || !bytes.HasPrefix([]byte(l.Answered), []byte("audio 10.0.0.9:5000")) || l.Q850 != 16 {
		t.Errorf("offered %q, answered %q, cause %d", l.Offered, l.Answered, l.Q850)
	}
	for what, pair := range map[string][2][]string{
		"media":  {l.MediaAddresses, {"10.0.0.1:4000", "10.0.0.9:5000", "10.0.0.9:5002"}},
		"links":  {l.LinkIDs, {"x-cid:other@a"}},
		"agents": {l.UserAgents, {"box", "phone/1"}},
		"nodes":  {l.Nodes, {"sbc"}},
		"ids":    {l.CorrelationIDs, nil},
	} {
		if !slices.Equal(pair[0], pair[1]) {
			t.Errorf("%s: %q, want %q", what, pair[0], pair[1])
		}
	}
	if len(l.Reasons) != 1 || l.Reasons[200] != "OK" {
		t.Errorf("reasons %v", l.Reasons)
	}
	q := calls.Quality{From: netip.MustParseAddrPort("10.0.0.1:4001"), MOSMin: 3.25, MOSSum: 7.5, MOSCount: 2, LossSum: 0.5, JitterSum: 8, RTTSum: 20, Receptions: 1, RTTCount: 1}
	if len(l.Quality) != 1 || l.Quality[0] != q {
		t.Errorf("quality %+v, want %+v", l.Quality, q)
	}
}

// TestOrderAndRepetition: however messages are dealt to builders, in whatever
// order, and however often, the leg is the same.
func TestOrderAndRepetition(t *testing.T) {
	messages, reports := call(), reports()
	whole := func(deal func(i int) []int, of int, order []int) *Leg {
		builders := make([]Builder, of)
		for _, i := range order {
			for _, b := range deal(i) {
				if i < len(messages) {
					builders[b].Message(&messages[i])
				} else {
					builders[b].Report(messages[0].CallID, &reports[i-len(messages)])
				}
			}
		}
		var all []byte
		for i := range builders {
			digests, _ := rows(&builders[i])
			all = append(all, digests["c1@a"]...)
		}
		return decode(t, all)
	}
	n := len(messages) + len(reports)
	order := rand.Perm(n)
	slices.Sort(order)
	want := whole(func(int) []int { return []int{0} }, 1, order)
	for try := range 50 {
		of := 1 + try%5
		order := rand.Perm(n)
		got := whole(func(i int) []int { return []int{i % of, rand.IntN(of)} }, of, order)
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("in order %v among %d builders\n%+v\nwant\n%+v", order, of, got, want)
		}
	}
}

// TestEachMessageAlone: a row that has nothing but an ACK is worth keeping.
func TestEachMessageAlone(t *testing.T) {
	ack := call()[5]
	ack.Method, ack.CSeqMethod = []byte("ACK"), []byte("ACK")
	for _, m := range append(call(), ack) {
		var b Builder
		b.Message(&m)
		if r := b.Row(0); r.Kinds == 0 || decode(t, r.Digest).Messages != 1 {
			t.Errorf("%s %d alone has kinds %b", m.CSeqMethod, m.Status, r.Kinds)
		}
	}
}

func TestIDs(t *testing.T) {
	var b Builder
	m := call()[1]
	m.CorrelationID = []byte("corr")
	b.Message(&m)
	m.CorrelationID, m.Links = m.CallID, [][]byte{[]byte("icid:77:1")}
	b.Message(&m)
	b.Message(&m)
	ping := Message{Time: m.Time, CallID: []byte("ping"), CorrelationID: []byte("ping"), Method: []byte("OPTIONS"), CSeqMethod: []byte("OPTIONS")}
	b.Message(&ping)
	b.Report([]byte("unknown"), &reports()[0])
	var got []string
	b.Tell(func(id ID) { got = append(got, fmt.Sprintf("%s of %s under %s", id.Key, id.CallID, id.CorrelationID)) }, func(User) {})
	want := []string{"c1@a of c1@a under corr", "corr of c1@a under corr", "c1@a of c1@a under c1@a", "77:1 of c1@a under c1@a", "ping of ping under ping"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if r := b.Row(1); r.Kinds != 0 || string(r.CallID) != "ping" {
		t.Errorf("a ping has %+v", r)
	}
}

// TestManyLegs: the table of legs grows, and one leg's messages stay together.
func TestManyLegs(t *testing.T) {
	var b Builder
	for round := range 2 {
		const legs = 5000
		for i := range 3 * legs {
			m := call()[1]
			m.CallID = fmt.Append(nil, "leg ", i%legs)
			m.CSeq = uint32(i / legs)
			b.Message(&m)
		}
		if b.Len() != legs {
			t.Fatalf("round %d: %d rows, want %d", round, b.Len(), legs)
		}
		for i := range b.Len() {
			if l := decode(t, b.Row(i).Digest); l.Messages != 3 {
				t.Fatalf("leg %s has %d messages", b.Row(i).CallID, l.Messages)
			}
		}
		b.Reset()
	}
}

func TestNoAllocations(t *testing.T) {
	var b Builder
	messages, report := call(), reports()[0]
	fill := func() {
		for i := range messages {
			b.Message(&messages[i])
		}
		b.Report(messages[0].CallID, &report)
		b.Reset()
	}
	fill()
	if n := testing.AllocsPerRun(100, fill); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzDecode(f *testing.F) {
	var b Builder
	for _, m := range call() {
		b.Message(&m)
	}
	b.Report([]byte("c1@a"), &reports()[0])
	digests, _ := rows(&b)
	f.Add(digests["c1@a"])
	f.Add([]byte{recordSDP, 1, 2, 3, 4, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, in []byte) {
		var d Decoder
		one, err := d.Decode("t", "c", in)
		if err != nil {
			return
		}
		again, err := d.Decode("t", "c", slices.Concat(in, in))
		if err != nil {
			t.Fatal(err)
		}
		if again.Messages != one.Messages || again.Opening != one.Opening {
			t.Errorf("twice gives %+v, once %+v", again, one)
		}
	})
}

func BenchmarkMessage(b *testing.B) {
	messages := call()
	var d Builder
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		m := &messages[i%len(messages)]
		d.Message(m)
		if i%7000 == 0 {
			d.Reset()
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	var build Builder
	for _, m := range call() {
		build.Message(&m)
	}
	digests, _ := rows(&build)
	var d Decoder
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.Decode("t", "c", digests["c1@a"]); err != nil {
			b.Fatal(err)
		}
	}
}

// TestMissedInvite: where the INVITE was not captured, the responses to it say
// who called whom, whatever came within the dialog and however it is dealt.
func TestMissedInvite(t *testing.T) {
	all := call()
	responses, bye := all[2:5], all[5]
	turned := bye // the callee hangs up
	turned.FromUser, turned.FromDomain, turned.FromTag, turned.ToUser, turned.ToDomain, turned.ToTag = bye.ToUser, bye.ToDomain, bye.ToTag, bye.FromUser, bye.FromDomain, bye.FromTag
	turned.Src, turned.Dst, turned.ViaHost = bye.Dst, bye.Src, []byte("10.0.0.2")
	bye.RURIUser, turned.RURIUser = []byte("line-7"), []byte("line-8") // contacts
	again := turned
	again.Method, again.CSeqMethod, again.Time = []byte("INVITE"), []byte("INVITE"), bye.Time-1_000_000
	refused := responses[2]
	refused.FromUser, refused.FromTag, refused.ToUser, refused.ToTag = again.FromUser, again.FromTag, again.ToUser, again.ToTag
	refused.Status, refused.Time, refused.Src, refused.Dst, refused.SDP = 488, again.Time+1000, again.Dst, again.Src, nil
	for what, within := range map[string][]Message{
		"nothing more":               nil,
		"the caller's BYE":           {bye},
		"the callee's BYE":           {turned},
		"the callee's re-INVITE":     {again, bye},
		"that and a refusal":         {again, refused, turned},
		"a BYE of which each copies": {bye, turned},
	} {
		for try := range 20 {
			messages := append(slices.Clone(responses), within...)
			builders := make([]Builder, 1+try%3)
			for i, n := range rand.Perm(len(messages)) {
				builders[i%len(builders)].Message(&messages[n])
			}
			var digest []byte
			for i := range builders {
				digests, _ := rows(&builders[i])
				digest = append(digest, digests["c1@a"]...)
			}
			l := decode(t, digest)
			c := calls.Assemble(calls.Group{Legs: []calls.Leg{l.Leg}}, time.Time{})
			got := fmt.Sprintf("%s %s@%s>%s@%s ruri %q pai %q %s>%s", c.Method, c.FromUser, c.FromDomain, c.ToUser, c.ToDomain, c.RuriUser, c.PAIUser, c.Src, c.Dst)
			if want := `INVITE alice@a.example>bob@b.example ruri "" pai "" 10.0.0.1:5060>10.0.0.2:5060`; l.Opened || got != want {
				t.Fatalf("%s: %s, want %s", what, got, want)
			}
		}
	}
}
