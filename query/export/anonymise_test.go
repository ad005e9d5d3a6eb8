package export_test

import (
	"bytes"
	"fmt"
	"net/netip"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/heplake/heplake/ingest/sip"
	"github.com/heplake/heplake/query"
	"github.com/heplake/heplake/query/export"
)

var testKey = []byte("a key of the tests")

var (
	ipv4InText = regexp.MustCompile(`\b\d{1,3}(?:\.\d{1,3}){3}\b`)
	words      = regexp.MustCompile(`[\pL\pN]{3,}`)
)

// originals are what must not be left of a call, as heplake's own SIP scanner and
// the query layer see it.
func originals(f *query.Flow) map[string]string {
	out := map[string]string{}
	add := func(what string, values ...[]byte) {
		for _, v := range values {
			s := string(v)
			if len(s) > 1 && s != "0.0.0.0" && s != "anonymous" && s != "anonymous.invalid" {
				out[s] = what
			}
		}
	}
	for i := range f.Items {
		it := &f.Items[i]
		for _, a := range []netip.AddrPort{it.SrcAddr, it.DstAddr} {
			add("address", []byte(a.Addr().String()))
		}
		add("Call-ID", []byte(it.CallID))
		add("node", []byte(it.Node))
		for _, ip := range ipv4InText.FindAllString(it.Raw, -1) {
			if _, err := netip.ParseAddr(ip); err == nil {
				add("address", []byte(ip))
			}
		}
		var m sip.Message
		if it.Kind != query.KindSIP || !sip.NewScanner(sip.Options{Headers: []string{"X-CID"}}).Scan(&m, it.RawBytes) {
			continue
		}
		for _, u := range []sip.URI{m.RURI, m.From, m.To, m.Contact, m.PAI, m.PPI, m.RPID, m.Diversion, m.ReferTo} {
			add("user", u.User)
			if len(u.Host) > 0 {
				add("host", bytes.Trim(u.Host, "[]"))
			}
		}
		add("tag", m.FromTag, m.ToTag)
		if bytes.HasPrefix(m.Via.Branch, []byte("z9hG4bK")) {
			add("branch", m.Via.Branch[7:])
		}
		add("via host", m.Via.Host, m.ViaLast.Host, m.Via.Received)
		add("auth user", m.AuthUser)
		add("realm", m.AuthRealm)
		for _, display := range [][]byte{m.FromDisplay, m.ToDisplay} {
			add("display name", words.FindAll(display, -1)...)
		}
		for _, h := range m.Custom {
			add("X-CID", h.Value)
		}
	}
	return out
}

// leaks lists which originals stand in a text as words of their own.
func leaks(text []byte, originals map[string]string) []string {
	var out []string
	for o, what := range originals {
		if !bytes.Contains(text, []byte(o)) {
			continue
		}
		alone := regexp.MustCompile(`(?:^|[^\pL\pN])` + regexp.QuoteMeta(o) + `(?:$|[^\pL\pN])`)
		if m := alone.FindIndex(text); m != nil {
			out = append(out, fmt.Sprintf("%s %q in …%s…", what, o, text[max(0, m[0]-60):min(len(text), m[1]+20)]))
		}
	}
	return out
}

func TestNothingIsLeftOfTheOriginals(t *testing.T) {
	for _, capture := range realCaptures {
		t.Run(capture, func(t *testing.T) {
			a := export.NewAnonymiser(testKey)
			for _, f := range realFlows(t, capture) {
				o := originals(f)
				if len(o) < 4 {
					t.Fatalf("%d originals found", len(o))
				}
				g := a.Flow(f)
				var b bytes.Buffer
				if err := export.JSON(&b, g); err != nil {
					t.Fatal(err)
				}
				if err := export.Text(&b, g, export.TextOptions{}); err != nil {
					t.Fatal(err)
				}
				if err := export.PCAPNG(&b, g); err != nil {
					t.Fatal(err)
				}
				for _, leak := range leaks(b.Bytes(), o) {
					t.Errorf("%s: %s", f.Call.CorrelationID, leak)
				}
			}
		})
	}
}

// The call is the same one: who spoke to whom, when, what, and with what faults.
func TestTheCallKeepsItsShape(t *testing.T) {
	scanner := sip.NewScanner(sip.Options{})
	for _, capture := range append([]string{"kamailio-hep3-udp-rfc4475-torture-a"}, realCaptures...) {
		t.Run(capture, func(t *testing.T) {
			a := export.NewAnonymiser(testKey)
			for _, f := range realFlows(t, capture) {
				g := a.Flow(f)
				if len(g.Items) != len(f.Items) || len(g.Legs) != len(f.Legs) || len(g.Participants) != len(f.Participants) {
					t.Fatalf("%s: %d items, %d legs, %d participants", f.Call.CorrelationID, len(g.Items), len(g.Legs), len(g.Participants))
				}
				same := func(what string, x, y any) {
					if !reflect.DeepEqual(x, y) {
						t.Errorf("%s: %s is %v, was %v", f.Call.CorrelationID, what, y, x)
					}
				}
				same("outcome", f.Call.Outcome, g.Call.Outcome)
				same("codecs", f.Call.Codecs, g.Call.Codecs)
				addresses := map[string]bool{}
				for _, p := range g.Participants {
					addresses[p.Address] = true
				}
				same("number of addresses", len(f.Participants), len(addresses))
				for i := range f.Items {
					x, y := &f.Items[i], &g.Items[i]
					same("item", []any{x.Time, x.Src, x.Dst, x.Leg, x.Method, x.Status, x.CSeq, x.CSeqMethod, x.Retransmission, x.Copy, x.Transport, x.Kind, x.ParseError},
						[]any{y.Time, y.Src, y.Dst, y.Leg, y.Method, y.Status, y.CSeq, y.CSeqMethod, y.Retransmission, y.Copy, y.Transport, y.Kind, y.ParseError})
					same("presence of SDP", x.SDP != "", y.SDP != "")
					var m, n sip.Message
					if x.Kind != query.KindSIP || !scanner.Scan(&m, x.RawBytes) {
						continue
					}
					if !scanner.Scan(&n, y.RawBytes) {
						t.Fatalf("no SIP any more:\n%s", y.Raw)
					}
					same("faults", m.Errs.String(), n.Errs.String())
					same("Vias", m.ViaCount, n.ViaCount)
					same("codecs of the SDP", bytes.Join(m.SDP.Codecs(), nil), bytes.Join(n.SDP.Codecs(), nil))
					// What the message says and what the item says are the same pseudonyms.
					same("Call-ID", string(n.CallID), y.CallID)
					same("From", string(n.From.User), y.FromUser)
					same("To", string(n.To.User), y.ToUser)
					if len(m.From.User) != len(n.From.User) || strings.HasPrefix(string(m.From.User), "+") != strings.HasPrefix(string(n.From.User), "+") {
						t.Errorf("user %q became %q", m.From.User, n.From.User)
					}
				}
			}
		})
	}
}

func TestPseudonymsAreTheKeys(t *testing.T) {
	f := realFlows(t, "kamailio-hep3-two-legs-topoh-xcid-a")[0]
	one, again, other := export.NewAnonymiser(testKey).Flow(f), export.NewAnonymiser(testKey).Flow(f), export.NewAnonymiser([]byte("another")).Flow(f)
	if !reflect.DeepEqual(one, again) {
		t.Error("the same key gives other pseudonyms")
	}
	if one.Items[0].Raw == other.Items[0].Raw || one.Call.FromUser == other.Call.FromUser {
		t.Error("another key gives the same pseudonyms")
	}
	if a, b := export.NewAnonymiser(nil).Flow(f), export.NewAnonymiser(nil).Flow(f); a.Items[0].Raw == b.Items[0].Raw {
		t.Error("two random keys are the same")
	}
}

func TestTsharkReadsTheAnonymised(t *testing.T) {
	need(t, "tshark")
	a := export.NewAnonymiser(testKey)
	for _, capture := range []string{"kamailio-hep3-sip-tcp-a", "kamailio-hep3-over-ipv4-sip-ipv6-a", "kamailio-hep3-udp-sip-reinvite-prack-refer-subscribe-407-a"} {
		f := a.Flow(realFlows(t, capture)[0])
		compareWithTshark(t, captureFile(t, "pcapng", f), f)
	}
}
