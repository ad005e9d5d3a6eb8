// Package decode_test measures what every SIP packet goes through first: the
// HEP message is decoded and the SIP in it scanned. compare.sh measures another
// server's decoder with the same packets beside it.
package decode_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"testing"

	"github.com/heplake/heplake/ingest/hep"
	"github.com/heplake/heplake/ingest/sip"
	"github.com/heplake/heplake/internal/captures"
)

// capture is the name of the capture whose packets are measured, unless the
// environment variable DECODE_CAPTURE names another one of testdata/captures.
const capture = "kamailio-hep3-udp-sip-calls-a"

// packet is one HEP message with SIP in it.
type packet struct {
	kind string // method of a request, status and CSeq method of a response: 200-INVITE
	msg  []byte
}

// decoder is what a worker of the server holds.
type decoder struct {
	hep     hep.Decoder
	packet  hep.Packet
	scanner *sip.Scanner
	message sip.Message
}

func (d *decoder) decode(tb testing.TB, msg []byte) {
	if err := d.hep.Decode(&d.packet, msg); err != nil {
		tb.Fatal(err)
	}
	if !d.scanner.Scan(&d.message, d.packet.Payload) {
		tb.Fatalf("no SIP: %.40q", d.packet.Payload)
	}
}

// packets are the packets of the capture, which are datagrams of HEP with SIP.
func packets(tb testing.TB) (all []packet) {
	name := os.Getenv("DECODE_CAPTURE")
	if name == "" {
		name = capture
	}
	d := decoder{scanner: sip.NewScanner(sip.Options{})}
	for _, p := range captures.Read(tb, captures.Path(name+".pcap")) {
		d.decode(tb, p.Payload)
		kind := string(d.message.Method)
		if d.message.Response {
			kind = fmt.Sprintf("%d-%s", d.message.Status, d.message.CSeqMethod)
		}
		all = append(all, packet{kind, p.Payload})
	}
	return all
}

// BenchmarkDecode: "all" is the mean over the packets of the capture, the others
// are the first one of each kind.
func BenchmarkDecode(b *testing.B) {
	all := packets(b)
	d := decoder{scanner: sip.NewScanner(sip.Options{})}
	b.Run("all", func(b *testing.B) {
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			d.decode(b, all[i].msg)
			if i++; i == len(all) {
				i = 0
			}
		}
	})
	seen := make(map[string]bool)
	for _, p := range all {
		if seen[p.kind] {
			continue
		}
		seen[p.kind] = true
		b.Run(p.kind, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(p.msg)))
			for b.Loop() {
				d.decode(b, p.msg)
			}
		})
	}
}

// TestWritePackets writes the packets for another decoder's benchmark to the
// file that DECODE_PACKETS names: kind and hexadecimal digits, one a line.
func TestWritePackets(t *testing.T) {
	path := os.Getenv("DECODE_PACKETS")
	if path == "" {
		t.Skip("DECODE_PACKETS names no file: only compare.sh needs one")
	}
	var out bytes.Buffer
	for _, p := range packets(t) {
		fmt.Fprintf(&out, "%s %s\n", p.kind, hex.EncodeToString(p.msg))
	}
	if err := os.WriteFile(path, out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}
