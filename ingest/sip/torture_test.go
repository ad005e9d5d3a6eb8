package sip

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/heplake/heplake/internal/captures"
)

// tortured is what a scan of a torture message must give, in the short form of
// summarise.
type tortured struct {
	name  string // the RFC's name of the message, or its section
	start string // method, or status and reason
	ruri  string
	from  string
	to    string
	// contact is the first one.
	contact string
	// via is the topmost value, and how many there are.
	via  string
	cseq string
	call string
	sdp  string
	body int
	errs string
}

// summarise gives the message in the form of the table.
func summarise(name string, m *Message) tortured {
	start := string(m.Method)
	if m.Response {
		start = fmt.Sprintf("%d %s", m.Status, m.Reason)
	}
	via := fmt.Sprintf("%s %s", m.Via.Transport, m.Via.Host)
	if m.Via.Port != 0 {
		via += fmt.Sprintf(" %d", m.Via.Port)
	}
	via += ";" + string(m.Via.Branch)
	if m.Via.Received != nil {
		via += ";" + string(m.Via.Received)
	}
	if m.ViaCount != 1 {
		via += fmt.Sprintf(" ×%d", m.ViaCount)
	}
	return tortured{
		name: name, start: start, ruri: short(m.RURI, nil), from: short(m.From, m.FromTag), to: short(m.To, m.ToTag),
		contact: short(m.Contact, nil), via: via, cseq: fmt.Sprintf("%d %s", m.CSeq, m.CSeqMethod), call: string(m.CallID),
		sdp: string(m.SDP.AppendSummary(nil)), body: len(m.Body), errs: m.Errs.String(),
	}
}

// short is an address as scheme:user@host:port;tag.
func short(u URI, tag []byte) string {
	var s strings.Builder
	if u.Scheme != nil {
		s.Write(u.Scheme)
		s.WriteByte(':')
	}
	if u.User != nil {
		s.Write(u.User)
		s.WriteByte('@')
	}
	s.Write(u.Host)
	if u.Port != 0 {
		fmt.Fprintf(&s, ":%d", u.Port)
	}
	if tag != nil {
		s.WriteByte(';')
		s.Write(tag)
	}
	return s.String()
}

// tortureCapture returns the messages of RFC 4475 that were sent through
// Kamailio, by name: of each payload the first with its Call-ID is the message
// itself, later ones are answers.
func tortureCapture(t testing.TB) map[string][]byte {
	t.Helper()
	const capture = "kamailio-hep3-udp-rfc4475-torture-a"
	order, err := os.ReadFile(captures.Path(capture + ".order.txt"))
	if err != nil {
		t.Fatal(err)
	}
	out := make(map[string][]byte)
	var m Message
	for _, p := range captures.Read(t, captures.Path(capture+".pcap")) {
		payload := hepPayload(p.Payload)
		if !NewScanner(Options{}).Scan(&m, payload) {
			t.Fatalf("frame %d holds no SIP", p.Frame)
		}
		// Each Call-ID of the RFC begins with the message's name, but for one.
		name, _, _ := strings.Cut(string(m.CallID), ".")
		if name == "3d9485ad0c49859b@Zmx1ZmZ5LW1hYy0xNi5sb2NhbA" {
			name = "mpart01"
		}
		if strings.Contains(string(order), name+".dat\n") && out[name] == nil {
			out[name] = payload
		}
	}
	return out
}

// hepPayload is chunk 0x000f of a HEPv3 packet.
func hepPayload(b []byte) []byte {
	for b = b[6:]; len(b) >= 6; {
		n := int(binary.BigEndian.Uint16(b[4:]))
		if binary.BigEndian.Uint32(b) == 0x000f {
			return b[6:n]
		}
		b = b[n:]
	}
	return nil
}

func scanned(t *testing.T, name string, b []byte) tortured {
	t.Helper()
	var m Message
	if !NewScanner(Options{}).Scan(&m, b) {
		t.Fatalf("%s is taken for no SIP", name)
	}
	return summarise(name, &m)
}

// TestRFC4475 scans all messages of RFC 4475: 24 as Kamailio reported them, the
// other 25 from the RFC's text.
func TestRFC4475(t *testing.T) {
	captured := tortureCapture(t)
	for _, want := range rfc4475Want {
		b := captured[want.name]
		if text, ok := rfc4475[want.name]; ok {
			b = []byte(wire(text))
		}
		if b == nil {
			t.Fatalf("%s is nowhere", want.name)
		}
		if got := scanned(t, want.name, b); got != want {
			t.Errorf("%s\n got %+v\nwant %+v", want.name, got, want)
		}
	}
	if len(rfc4475Want) != 49+1 { // and one of the RFC's drafts
		t.Errorf("%d rows", len(rfc4475Want))
	}
}

// TestRFC5118 scans all messages of RFC 5118.
func TestRFC5118(t *testing.T) {
	for _, want := range rfc5118Want {
		if got := scanned(t, want.name, []byte(wire(rfc5118[want.name]))); got != want {
			t.Errorf("%s\n got %+v\nwant %+v", want.name, got, want)
		}
	}
	if len(rfc5118Want) != 12 || len(rfc5118) != 12 {
		t.Errorf("%d rows, %d messages", len(rfc5118Want), len(rfc5118))
	}
}

// TestPublishedTorture scans the messages as others published them, where those
// files are at hand, and wants the same results.
func TestPublishedTorture(t *testing.T) {
	rows := make(map[string]tortured)
	for _, row := range rfc4475Want {
		rows[row.name] = row
	}
	for file, section := range map[string]string{
		"01-ipv6-good": "4.1", "03-port-ambiguous": "4.3", "05-via-received-param-with-delim": "4.5-1",
		"07-ipv6-in-sdp": "4.6", "09-mult-ip-in-sdp": "4.8",
	} {
		for _, row := range rfc5118Want {
			if row.name == section {
				row.name = file
				rows[file] = row
			}
		}
	}
	files := 0
	for _, dir := range []string{"rfc4475-sip-torture/valid", "rfc4475-sip-torture/invalid", "rfc5118-ipv6-torture"} {
		names, err := filepath.Glob(filepath.Join(captures.Public(t, dir), "*.dat"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range names {
			files++
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			name := strings.TrimSuffix(filepath.Base(path), ".dat")
			want, ok := rows[name]
			if !ok {
				t.Errorf("no row for %s", name)
				continue
			}
			if got := scanned(t, name, b); got != want {
				t.Errorf("%s\n got %+v\nwant %+v", name, got, want)
			}
		}
	}
	if files != 30 {
		t.Errorf("%d files instead of 30", files)
	}
}
