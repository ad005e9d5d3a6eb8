package agent

import (
	"encoding/json"
	"math"
	"reflect"
	"testing"

	"github.com/heplake/heplake/ingest/media"
	"github.com/heplake/heplake/internal/captures"
)

// rtcpOf is the RTCP on the wire in the raw captures, without the APP packets
// of baresip, which JSON has no words for.
func rtcpOf(t testing.TB) (out [][]byte) {
	t.Helper()
	for _, name := range captures.Names(t, "*.sip-rtcp") {
		for _, p := range captures.Read(t, captures.Path(name+".pcap")) {
			if p.Transport == "udp" && IsRTCP(p.Payload) && p.Payload[1] != 204 {
				out = append(out, p.Payload)
			}
		}
	}
	return out
}

// The rows must be the same whether RTCP arrives as it was or as JSON.
func TestRTCPAsJSONSaysTheSame(t *testing.T) {
	all := rtcpOf(t)
	if len(all) < 20 {
		t.Fatalf("only %d RTCP packets", len(all))
	}
	// RFC 3611 section 4.7, all fields different; then the same without the
	// figures that may be unavailable.
	xr := func(tail ...byte) []byte {
		return append([]byte{
			0x80, 201, 0, 1, 0, 0, 0, 9,
			0x80, 207, 0, 10, 0, 0, 0, 9, 7, 0, 0, 8, 1, 2, 3, 4, 10, 20, 30, 40, 1, 2, 3, 4, 0, 55, 0, 66,
		}, tail...)
	}
	all = append(all, xr(0xf0, 0xc0, 60, 16, 93, 95, 41, 42, 0x30, 0, 0, 20, 0, 40, 0, 80), xr(127, 127, 127, 16, 127, 127, 127, 127, 0, 0, 0, 0, 0, 0, 0, 0))
	var binary, text media.Decoder
	var c rtcpJSON
	for _, packet := range all {
		b, ok := c.convert(packet)
		if !ok {
			t.Errorf("%x: not converted", packet)
			continue
		}
		if !json.Valid(b) {
			t.Fatalf("%s: no JSON", b)
		}
		want, err := binary.RTCP(packet, 0)
		if err != nil {
			t.Fatal(err)
		}
		got, err := text.RTCPJSON(b, 0)
		if err != nil {
			t.Fatalf("%s: %v", b, err)
		}
		if len(got) != len(want) {
			t.Fatalf("%s: %d reports, want %d", b, len(got), len(want))
		}
		for i := range want {
			w, g := want[i], got[i]
			w.Bye = false // JSON has one type for the compound: that of its report
			g.Bye = false
			for _, m := range w.Extra {
				if v, ok := g.Metric(m.Name); !ok || math.Abs(v-m.Value) > 1e-9 {
					t.Errorf("%s: %s is %v, want %v", b, m.Name, v, m.Value)
				}
			}
			if len(g.Extra) != len(w.Extra) {
				t.Errorf("%s: further figures %v, want %v", b, g.Extra, w.Extra)
			}
			w.Extra, g.Extra = nil, nil
			if !reflect.DeepEqual(g, w) {
				t.Errorf("%s:\n%+v\nwant\n%+v", b, g, w)
			}
		}
	}
}

func TestWhatJSONCannotSayStaysBinary(t *testing.T) {
	real := rtcpOf(t)[0]
	for name, packet := range map[string][]byte{
		"feedback":            {0x81, 206, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2},
		"application-defined": {0x80, 204, 0, 2, 0, 0, 0, 1, 'n', 'a', 'm', 'e'},
		"cut":                 real[:len(real)-1],
		"encrypted":           append(real[:len(real):len(real)], 0x80, 0, 0, 1, 1, 2, 3, 4),
		"empty":               nil,
	} {
		var c rtcpJSON
		if b, ok := c.convert(packet); ok {
			t.Errorf("%s: %s", name, b)
		}
	}
}

func TestQuote(t *testing.T) {
	for _, text := range []string{"", "alice@lab", `a"b\c`, "tab\tnul\x00", "ä€😀", "\x7f\u2028"} {
		var c rtcpJSON
		c.quote([]byte(text))
		var back string
		if err := json.Unmarshal(c.buf, &back); err != nil || back != text {
			t.Errorf("%q: %s, %v", text, c.buf, err)
		}
	}
	var c rtcpJSON
	if c.quote([]byte("a\xffb")); string(c.buf) != "\"a\ufffdb\"" {
		t.Errorf("%s", c.buf)
	}
}
