package agent

import (
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"

	"github.com/heplake/heplake/ingest/hep"
	"github.com/heplake/heplake/internal/pcap"
)

// A datagram on its way from the frame to HEP costs no memory, of whatever kind.
func TestDatagramsAllocateNothing(t *testing.T) {
	invite, _ := messages(t)
	for name, payload := range map[string][]byte{"SIP": invite, "RTCP": rtcpOf(t)[0], "something else": make([]byte, 200)} {
		var buf []byte
		x := NewExtractor(Options{Node: "n", RTCPAsJSON: true, Packet: func(p *hep.Packet) error {
			buf = hep.Append(buf[:0], p)
			return nil
		}})
		w := pcap.NewWalker(x.Payload)
		frame := frameOf(t, true, false, false, payload)
		info := gopacket.CaptureInfo{Timestamp: began, CaptureLength: len(frame), Length: len(frame)}
		give := func() {
			if err := w.Frame(frame, layers.LinkTypeEthernet, info); err != nil {
				t.Fatal(err)
			}
		}
		give() // buffers grow once
		if n := testing.AllocsPerRun(100, give); n != 0 {
			t.Errorf("%s: %v allocations a frame", name, n)
		}
	}
}

func BenchmarkFrame(b *testing.B) {
	invite, _ := messages(b)
	rtp := append([]byte{0x80, 8, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1}, make([]byte, 160)...)
	for name, payload := range map[string][]byte{"sip": invite, "rtcp": rtcpOf(b)[0], "rtp-ignored": rtp} {
		b.Run(name, func(b *testing.B) {
			var buf []byte
			x := NewExtractor(Options{Node: "n", Packet: func(p *hep.Packet) error {
				buf = hep.Append(buf[:0], p)
				return nil
			}})
			w := pcap.NewWalker(x.Payload)
			frame := frameOf(b, true, false, false, payload)
			info := gopacket.CaptureInfo{Timestamp: began, CaptureLength: len(frame), Length: len(frame)}
			b.ReportAllocs()
			b.SetBytes(int64(len(frame)))
			for b.Loop() {
				if err := w.Frame(frame, layers.LinkTypeEthernet, info); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
