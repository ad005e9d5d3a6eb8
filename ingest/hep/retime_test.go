package hep

import (
	"bytes"
	"testing"

	"github.com/heplake/heplake/internal/captures"
)

func TestRetimeChangesTheTimeAndNothingElse(t *testing.T) {
	const us int64 = 1_800_000_000_123_456
	for _, name := range []string{"kamailio-hep3-udp-sip-calls-a", "opensips-hep3-udp-sip-xlog-a", "kamailio-hep2-udp-a", "kamailio-hep2-sip-ipv6-a", "sngrep-hep2-udp-calls-a"} {
		var d Decoder
		for _, p := range captures.Read(t, captures.Path(name+".pcap")) {
			var before, after Packet
			if err := d.Decode(&before, p.Payload); err != nil {
				t.Fatal(err)
			}
			b := bytes.Clone(p.Payload)
			if !Retime(b, us) {
				t.Fatalf("%s frame %d: not retimed", name, p.Frame)
			}
			if err := d.Decode(&after, b); err != nil {
				t.Fatal(err)
			}
			if after.Time != us {
				t.Errorf("%s frame %d: time %d, want %d", name, p.Frame, after.Time, us)
			}
			if !Retime(b, before.Time) || !bytes.Equal(b, p.Payload) {
				t.Errorf("%s frame %d: setting the old time back does not give the old bytes", name, p.Frame)
			}
		}
	}
	for _, b := range [][]byte{nil, {2}, []byte("HEP3\x00\x06"), captures.Read(t, captures.Path("kamailio-hep1-udp-a.pcap"))[0].Payload, []byte("INVITE sip:a@b SIP/2.0\r\n")} {
		c := bytes.Clone(b)
		if Retime(c, us) || !bytes.Equal(c, b) {
			t.Errorf("%.20q has no time, but was retimed", b)
		}
	}
}
