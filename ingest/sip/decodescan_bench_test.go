package sip_test

import (
	"testing"

	"github.com/heplake/heplake/ingest/hep"
	"github.com/heplake/heplake/ingest/sip"
	"github.com/heplake/heplake/internal/captures"
)

// BenchmarkDecodeAndScan measures what every SIP packet goes through first: the
// HEP message is decoded and the SIP in it scanned. "all" is the mean over the
// packets of a capture of calls, the others are one message of each kind.
func BenchmarkDecodeAndScan(b *testing.B) {
	var d hep.Decoder
	var p hep.Packet
	var m sip.Message
	s := sip.NewScanner(sip.Options{})
	decodeAndScan := func(b *testing.B, msg []byte) {
		if err := d.Decode(&p, msg); err != nil {
			b.Fatal(err)
		}
		if !s.Scan(&m, p.Payload) {
			b.Fatalf("no SIP: %.40q", p.Payload)
		}
	}
	var all [][]byte
	var kinds []string
	byKind := make(map[string][]byte)
	for _, packet := range captures.Read(b, captures.Path("kamailio-hep3-udp-sip-calls-a.pcap")) {
		decodeAndScan(b, packet.Payload)
		all = append(all, packet.Payload)
		kind := string(m.Method)
		if m.Response {
			kind = string(m.Reason) + "-" + string(m.CSeqMethod)
		}
		if byKind[kind] == nil {
			kinds = append(kinds, kind)
			byKind[kind] = packet.Payload
		}
	}
	b.Run("all", func(b *testing.B) {
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			decodeAndScan(b, all[i])
			if i++; i == len(all) {
				i = 0
			}
		}
	})
	for _, kind := range kinds {
		msg := byKind[kind]
		b.Run(kind, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(msg)))
			for b.Loop() {
				decodeAndScan(b, msg)
			}
		})
	}
}
