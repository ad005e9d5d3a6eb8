package hep

import (
	"testing"

	"github.com/heplake/heplake/internal/captures"
)

// sample is the first message of a capture: UDP captures, one message each.
func sample(t testing.TB, name string) []byte {
	t.Helper()
	return captures.Read(t, captures.Path(name+".pcap"))[0].Payload
}

func benchmarkDecode(b *testing.B, msg []byte) {
	var (
		d Decoder
		p Packet
	)
	b.ReportAllocs()
	b.SetBytes(int64(len(msg)))
	for b.Loop() {
		if err := d.Decode(&p, msg); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeKamailio(b *testing.B) {
	benchmarkDecode(b, sample(b, "kamailio-hep3-udp-sip-calls-a"))
}

func BenchmarkDecodeHeplify(b *testing.B) {
	benchmarkDecode(b, sample(b, "heplify-hep3-udp-sip-rtcp-a"))
}

func BenchmarkDecodeHEP1(b *testing.B) { benchmarkDecode(b, sample(b, "kamailio-hep1-udp-a")) }

func BenchmarkDecodeHEP2(b *testing.B) { benchmarkDecode(b, sample(b, "kamailio-hep2-udp-a")) }

func BenchmarkAppend(b *testing.B) {
	var (
		d Decoder
		p Packet
	)
	msg := sample(b, "kamailio-hep3-udp-sip-calls-a")
	if err := d.Decode(&p, msg); err != nil {
		b.Fatal(err)
	}
	buf := make([]byte, 0, 2*len(msg))
	b.ReportAllocs()
	b.SetBytes(int64(len(msg)))
	for b.Loop() {
		buf = Append(buf[:0], &p)
	}
}

func BenchmarkDecodeProtobuf(b *testing.B) {
	benchmarkDecode(b, buildProtobuf("192.0.2.1", "192.0.2.2"))
}

func BenchmarkDecodeCompressed(b *testing.B) {
	benchmarkDecode(b, compressed(compress(b, "zlib", options)))
}

func BenchmarkFrameLength(b *testing.B) {
	msg := sample(b, "kamailio-hep3-udp-sip-calls-a")
	b.ReportAllocs()
	for b.Loop() {
		if n, err := FrameLength(msg); n == 0 || err != nil {
			b.Fatal(n, err)
		}
	}
}
