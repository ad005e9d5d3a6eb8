package ingest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/heplake/heplake/ingest/batch"
	"github.com/heplake/heplake/ingest/hep"
	"github.com/heplake/heplake/ingest/sip"
	"github.com/heplake/heplake/internal/captures"
	"github.com/heplake/heplake/schema"
)

func TestMarksAreThoseOfTheSchema(t *testing.T) {
	for mark, column := range map[int]string{
		markCallID: "call_id", markFromTag: "from_tag", markToTag: "to_tag", markFromUser: "from_user", markToUser: "to_user",
	} {
		if got := schema.Marks[mark].Column; got != column {
			t.Errorf("mark %d stands for %s, not %s", mark, got, column)
		}
	}
}

// unpack does what the column raw does in SQL.
func unpack(packed []byte, m *sip.Message) []byte {
	for i, value := range [][]byte{m.CallID, m.FromTag, m.ToTag, m.From.User, m.To.User} {
		packed = bytes.ReplaceAll(packed, []byte{schema.PackEscape, schema.Marks[i].Letter}, value)
	}
	return packed
}

// checkPacked checks that the message comes back byte for byte, with its branch.
func checkPacked(t *testing.T, k *packer, raw []byte, m *sip.Message) {
	t.Helper()
	packed := k.pack(raw, m)
	if got := unpack(packed, m); !bytes.Equal(got, raw) {
		t.Fatalf("packed %q\ncomes back as %q\n          not %q", packed, got, raw)
	}
	if k.branch >= 0 && !bytes.Equal(packed[k.branch:][:len(m.Via.Branch)], m.Via.Branch) {
		t.Fatalf("branch %q is not at %d of %q", m.Via.Branch, k.branch, packed)
	}
}

// sipMessages calls fn for each SIP message of the captures.
func sipMessages(tb testing.TB, glob string, fn func(raw []byte)) {
	tb.Helper()
	var d hep.Decoder
	var p hep.Packet
	for _, name := range captures.Names(tb, glob) {
		for _, packet := range captures.Read(tb, captures.Path(name+".pcap")) {
			if d.Decode(&p, packet.Payload) == nil && p.Type == hep.TypeSIP {
				fn(p.Payload)
			}
		}
	}
}

// TestPackedMessagesComeBack packs every captured message.
func TestPackedMessagesComeBack(t *testing.T) {
	var k packer
	var m sip.Message
	scanner := sip.NewScanner(sip.Options{})
	n, saved, branches := 0, 0, 0
	sipMessages(t, "*", func(raw []byte) {
		if !scanner.Scan(&m, raw) || bytes.IndexByte(raw, schema.PackEscape) >= 0 {
			return
		}
		checkPacked(t, &k, raw, &m)
		n++
		saved += len(raw) - len(k.out)
		if k.branch >= 0 {
			branches++
		}
	})
	if n < 500 || saved < 30*n || branches < n*98/100 {
		t.Errorf("%d messages: %d bytes saved, %d branches found in place", n, saved, branches)
	}
}

// mutate returns the message cut, or with bytes changed, repeated or put in that
// mean something to the packing.
func mutate(random *rand.Rand, raw []byte) []byte {
	raw = bytes.Clone(raw)
	at := random.IntN(len(raw))
	switch random.IntN(6) {
	case 0:
		return raw[:at]
	case 1:
		raw[at] = byte(random.IntN(256))
	case 2:
		for range 1 + random.IntN(3) {
			raw[random.IntN(len(raw))] = schema.PackEscape
		}
	case 3:
		return append(raw[:at:at], append([]byte("\x01a\x01\x01e"), raw[at:]...)...)
	case 4: // a part twice: identifiers within each other
		end := min(len(raw), at+random.IntN(80))
		return append(raw[:end:end], raw[at:]...)
	default: // folded
		return append(raw[:at:at], append([]byte("\r\n "), raw[at:]...)...)
	}
	return raw
}

func FuzzPack(f *testing.F) {
	random := rand.New(rand.NewPCG(1, 2))
	sipMessages(f, "kamailio-hep3-udp-*", func(raw []byte) {
		f.Add(raw)
		for range 3 {
			f.Add(mutate(random, raw))
		}
	})
	f.Add([]byte("INVITE sip:abcd SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=abcd\r\ni:abcd\r\nf:<sip:abcd@abcd>;tag=abcd\r\nt:<sip:abcd@x>;tag=abcd\r\nm:<sip:abcd@y>\r\n\r\n"))
	scanner := sip.NewScanner(sip.Options{})
	f.Fuzz(func(t *testing.T, raw []byte) {
		var k packer
		var m sip.Message
		if scanner.Scan(&m, raw) && bytes.IndexByte(raw, schema.PackEscape) < 0 {
			checkPacked(t, &k, raw, &m)
		}
	})
}

func TestPackDoesNotAllocate(t *testing.T) {
	var k packer
	var m sip.Message
	b := batch.New[batch.SIP](&schema.SIP)
	raw := fmt.Appendf(nil, "INVITE sip:4930123@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKabc\r\nFrom: <sip:4940123@example.com>;tag=tagtag\r\nTo: <sip:4930123@example.com>\r\nCall-ID: %032d\r\nCSeq: 1 INVITE\r\n\r\n", 7)
	if !sip.NewScanner(sip.Options{}).Scan(&m, raw) {
		t.Fatal("no SIP")
	}
	pack := func() {
		b.Reset()
		k.appendTo(&b.Cols, raw, m.CallID, &m)
	}
	pack()
	if n := testing.AllocsPerRun(100, pack); n != 0 {
		t.Errorf("%g allocations for a message", n)
	}
}

// BenchmarkPack is what packing adds to a message's way: over the messages of a
// capture, scanned beforehand, with the columns beside the copy of the message
// that there would be without.
func BenchmarkPack(b *testing.B) {
	type scanned struct {
		raw []byte
		m   sip.Message
	}
	var all []scanned
	sipMessages(b, "kamailio-hep3-udp-sip-calls-a", func(raw []byte) {
		raw = bytes.Clone(raw)
		s := scanned{raw: raw}
		if sip.NewScanner(sip.Options{}).Scan(&s.m, raw) {
			all = append(all, s)
		}
	})
	columns := batch.New[batch.SIP](&schema.SIP)
	c := &columns.Cols
	for _, bench := range []struct {
		name string
		add  func(s *scanned)
	}{
		{"packed", func() func(*scanned) {
			var k packer
			return func(s *scanned) { k.appendTo(c, s.raw, s.m.CallID, &s.m) }
		}()},
		{"copied", func(s *scanned) {
			c.Packed.Append(s.raw)
			c.OwnCallID.Append(s.m.CallID)
			c.OwnBranch.Append(s.m.Via.Branch)
		}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				bench.add(&all[i])
				if i++; i == len(all) {
					i = 0
					columns.Reset()
				}
			}
		})
	}
}
