package export

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/heplake/heplake/internal/captures"
	"github.com/heplake/heplake/query"
)

// seeds are real messages, and those of RFC 4475.
func seeds(f *testing.F) {
	for _, name := range []string{"kamailio-hep3-udp-rfc4475-torture-a", "kamailio-hep3-udp-sip-reinvite-prack-refer-subscribe-407-a.sip"} {
		for i, p := range captures.Read(f, captures.Path(name+".pcap")) {
			if i%7 == 0 {
				f.Add(p.Payload, "udp")
			}
		}
	}
	f.Add([]byte("PUBLISH sip:a SIP/2.0\r\nContent-Type: multipart/mixed;boundary=x\r\nTo: <sip:b\r\n\r\n--x\r\nContent-Type: application/sdp\r\n\r\nc=IN IP4\r\no=\r\n--x--"), "tcp")
	f.Add([]byte{0x81, 202, 0, 3, 1, 2, 3, 4, 1, 3, 'a', 'b', 'c', 0, 0, 0}, "sctp")
}

// flowOf makes a call of two messages, of which the first one is anything.
func flowOf(raw []byte, transport string) *query.Flow {
	m := parseSIP(string(raw))
	at := time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)
	a, b := netip.MustParseAddrPort("192.0.2.1:5060"), netip.MustParseAddrPort("[2001:db8::1]:5061")
	method, _, _ := strings.Cut(m.start, " ")
	items := []query.Item{
		{Kind: query.KindSIP, Time: at, CallID: m.get("call-id"), Method: method, CSeqMethod: method, Transport: transport, SrcAddr: a, DstAddr: b, RawBytes: raw, Raw: strings.ToValidUTF8(string(raw), "\uFFFD")},
		{Kind: query.KindMedia, Time: at, Transport: transport, SrcAddr: b, RawBytes: raw},
		{Kind: query.KindEvent, Time: at, RawBytes: raw, Raw: strings.ToValidUTF8(string(raw), "\uFFFD")},
	}
	return &query.Flow{
		Legs: []query.Leg{{CallID: m.get("call-id")}}, Participants: []query.Participant{{Address: a.String()}, {Address: b.String()}}, Items: items,
	}
}

// Whatever a message is, every format writes it, its parts are all of it, and its
// pseudonyms are the same each time.
func FuzzMessages(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, raw []byte, transport string) {
		if got := parseSIP(string(raw)).String(); got != string(raw) {
			t.Fatalf("the parts of %q make %q", raw, got)
		}
		flow := flowOf(raw, transport)
		anonymised := NewAnonymiser([]byte("k")).Flow(flow)
		if again := NewAnonymiser([]byte("k")).Flow(flow); !bytes.Equal(again.Items[0].RawBytes, anonymised.Items[0].RawBytes) {
			t.Errorf("%q has two pseudonyms: %q and %q", raw, anonymised.Items[0].RawBytes, again.Items[0].RawBytes)
		}
		for _, flow := range []*query.Flow{flow, anonymised} {
			for _, format := range Formats() {
				if err := format.Write(io.Discard, Options{}, flow); err != nil && !errors.Is(err, ErrNoScenario) {
					t.Errorf("%s of %q: %v", format.Name, raw, err)
				}
			}
			d, err := newDialogue(flow, SIPpOptions{})
			if err != nil {
				continue
			}
			for by := caller; by <= callee; by++ {
				dec := xml.NewDecoder(strings.NewReader(d.scenario(by)))
				for err = nil; err == nil; {
					_, err = dec.Token()
				}
				if !errors.Is(err, io.EOF) {
					t.Errorf("the scenario of %q is no XML: %v\n%s", raw, err, d.scenario(by))
				}
			}
		}
	})
}

// A pseudonym has its original's length and shape, and differs from it; different
// originals have different pseudonyms.
func FuzzWords(f *testing.F) {
	f.Add("+4930123456", "030123456")
	f.Add("alice", "alicf")
	f.Add("0a1b2c3d4e5f", "Ünï-cöde")
	f.Add("1", "2")
	f.Fuzz(func(t *testing.T, a, b string) {
		p := newPseudonyms([]byte("k"))
		for _, s := range []string{a, b} {
			text, list := positions(s)
			w := p.word(s)
			wText, wList := positions(w)
			if len(list) > 0 && (w == s || len(wText) != len(text) || len(wList) != len(list)) {
				t.Errorf("%q became %q", s, w)
			}
			for i := range min(len(list), len(wList)) {
				if list[i].at != wList[i].at || list[i].base != wList[i].base {
					t.Errorf("%q became %q", s, w)
				}
			}
		}
		ascii := func(s string) bool { return strings.IndexFunc(s, func(r rune) bool { return r >= 0x80 }) < 0 }
		// Short ones have few images, and may meet after the second try.
		if a != b && ascii(a) && ascii(b) && len(a) > 4 && len(b) > 4 && p.word(a) == p.word(b) {
			t.Errorf("%q and %q are both %q", a, b, p.word(a))
		}
	})
}
