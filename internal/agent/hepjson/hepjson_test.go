package hepjson_test

import (
	"encoding/json"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/heplake/heplake/ingest/hep"
	"github.com/heplake/heplake/internal/agent/hepjson"
	"github.com/heplake/heplake/internal/captures"
)

// same brings a packet to what survives the way through JSON and version 3.
func same(p hep.Packet) hep.Packet {
	p.Variant, p.Quirks, p.CaptureIDRaw = 0, 0, 0
	p.Has &^= 1 << hep.ChunkCompressed
	p.Extra = slices.Clone(p.Extra)
	if len(p.Extra) == 0 {
		p.Extra = nil
	}
	return p
}

// through prints a packet, reads it back and decodes what is written of it.
func through(t interface{ Fatalf(string, ...any) }, p *hep.Packet) hep.Packet {
	line := hepjson.Append(nil, p)
	if !json.Valid(line) {
		t.Fatalf("no JSON: %s", line)
	}
	back, err := hepjson.Parse(line)
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	var d hep.Decoder
	var out hep.Packet
	if err := d.Decode(&out, hep.Append(nil, back)); err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return out
}

func TestRealPacketsSurvive(t *testing.T) {
	var d hep.Decoder
	var p hep.Packet
	n := 0
	for _, name := range captures.Names(t, "*") {
		for _, c := range captures.Read(t, captures.Path(name+".pcap")) {
			if c.Transport != "udp" || d.Decode(&p, c.Payload) != nil {
				continue
			}
			want := same(p)
			if p.Variant == hep.HEP1 || p.Variant == hep.HEP2 {
				// Their headers have no chunks; some stand for zeros that JSON leaves out.
				want.Has = 0
			}
			got := same(through(t, &p))
			if want.Has == 0 {
				got.Has = 0
			}
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("%s frame %d:\n%+v\nwant\n%+v", name, c.Frame, got, want)
			}
			n++
		}
	}
	if n < 1000 {
		t.Errorf("only %d packets", n)
	}
}

// Every field with any value survives.
func TestAnyPacketSurvives(t *testing.T) {
	octets := rapid.OneOf(rapid.SliceOfN(rapid.Byte(), 1, 20), rapid.Map(rapid.StringN(1, 10, 20), func(s string) []byte { return []byte(s) }))
	rapid.Check(t, func(t *rapid.T) {
		text := func(name string) []byte {
			return slices.Clip(octets.Filter(func(b []byte) bool { return b[len(b)-1] != 0 }).Draw(t, name))
		}
		var mac [6]byte
		copy(mac[:], rapid.SliceOfN(rapid.Byte(), 6, 6).Draw(t, "mac"))
		p := hep.Packet{
			Family: hep.FamilyIPv4, Protocol: rapid.Uint8().Draw(t, "protocol"),
			Src: netip.AddrFrom4([4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "src"))), Dst: netip.MustParseAddr("192.0.2.9"),
			SrcPort: rapid.Uint16().Draw(t, "sport"), DstPort: rapid.Uint16().Draw(t, "dport"),
			Time: rapid.Int64Range(0, 4_000_000_000_000_000).Draw(t, "time"), Type: rapid.Uint16Range(1, 300).Draw(t, "type"),
			CaptureID: rapid.Uint32Range(0, 65535).Draw(t, "id"), KeepAlive: rapid.Uint16().Draw(t, "keepalive"),
			AuthKey: text("key"), Payload: text("payload"), CorrelationID: text("correlation"), NodeName: text("node"),
			VLAN: rapid.Uint16().Draw(t, "vlan"), SrcMAC: mac, DstMAC: mac, EtherType: rapid.Uint16().Draw(t, "ethertype"),
			TCPFlags: rapid.Uint8().Draw(t, "flags"), TOS: rapid.Uint8().Draw(t, "tos"), MOS: rapid.Uint16().Draw(t, "mos"),
			RFactor: rapid.Uint16().Draw(t, "r"), Geo: text("geo"), Jitter: rapid.Uint32().Draw(t, "jitter"),
			TransactionType: text("transaction"), PayloadKeys: text("keys"), TagValues: text("tags"),
			TagType: rapid.Uint16().Draw(t, "tagtype"), EventType: rapid.Uint16().Draw(t, "event"), GroupID: text("group"),
			Extra: []hep.Chunk{{Vendor: hep.VendorGenesys, Type: rapid.Uint16().Draw(t, "vendor type"), Data: text("vendor data")}},
		}
		var d hep.Decoder
		var want hep.Packet
		if err := d.Decode(&want, hep.Append(nil, &p)); err != nil {
			t.Fatal(err)
		}
		if got := same(through(t, &want)); !reflect.DeepEqual(got, same(want)) {
			t.Fatalf("\n%+v\nwant\n%+v", got, same(want))
		}
	})
}

func TestForm(t *testing.T) {
	p := &hep.Packet{
		Variant: hep.HEP3, Protocol: 17, Src: netip.MustParseAddr("192.0.2.1"), Dst: netip.MustParseAddr("192.0.2.2"), SrcPort: 5060, DstPort: 5070,
		Time: 1_700_000_000_000_042, Type: 1, NodeName: []byte{'n', 0xff}, MOS: 431, Payload: []byte("INVITE <sip:a&b> \"x\"\r\n"),
		Extra: []hep.Chunk{{Vendor: 3, Type: 17, Data: []byte("own")}}, Quirks: hep.QuirkPadding,
	}
	const want = `{"rcinfo":{"protocol":17,"srcIp":"192.0.2.1","dstIp":"192.0.2.2","srcPort":5060,"dstPort":5070,` +
		`"timeSeconds":1700000000,"timeUseconds":42,"payloadType":1,"mos":431,"hepNodeName_base64":"bv8=",` +
		`"chunks":[{"vendor":3,"type":17,"data":"b3du"}]},"payload":"INVITE <sip:a&b> \"x\"\r\n","variant":"hep3","quirks":"padding"}`
	if got := string(hepjson.Append([]byte("x"), p)); got != "x"+want {
		t.Errorf("\n%s\nwant\n%s", got[1:], want)
	}
	const wantError = `{"error":"chunk_overrun","offset":6,"packet_base64":"SEVQMw=="}`
	if got := string(hepjson.AppendError(nil, "chunk_overrun", 6, []byte("HEP3"))); got != wantError {
		t.Errorf("%s, want %s", got, wantError)
	}
	if got := string(hepjson.Append(nil, &hep.Packet{})); got != `{"rcinfo":{"payloadType":0},"payload":"","variant":"unknown"}` {
		t.Errorf("an empty packet is %s", got)
	}
}

func TestForgivingParse(t *testing.T) {
	p, err := hepjson.Parse([]byte(`{"rcinfo":{"srcIp":"::ffff:192.0.2.1","srcPort":"5060","proto_type":5,"conversationId":"c","shoeSize":44},"payload":{"ssrc":1}}`))
	if err != nil {
		t.Fatal(err)
	}
	if p.Src.String() != "192.0.2.1" || p.SrcPort != 5060 || p.Type != 5 || string(p.CorrelationID) != "c" || string(p.Payload) != `{"ssrc":1}` ||
		string(p.TagValues) != `{"conversationId":"c","shoeSize":44}` {
		t.Errorf("%+v", p)
	}
	p, err = hepjson.Parse([]byte(`{"rcinfo":{"tagValues":"own","other":1},"payload_base64":"/w=="}`))
	if err != nil || string(p.TagValues) != "own" || len(p.Extra) != 1 || string(p.Extra[0].Data) != `{"other":1}` || string(p.Payload) != "\xff" {
		t.Errorf("%+v, %v", p, err)
	}
	for in, want := range map[string]string{
		`{}`:              "neither rcinfo nor payload",
		`{"rcinfo":{}}`:   "neither rcinfo nor payload",
		`{"payload":"x"}`: "neither rcinfo nor payload",
		`[]`:              "cannot unmarshal array",
		`{"rcinfo":{"srcPort":70000},"payload":"x"}`:                    "rcinfo.srcPort:",
		`{"rcinfo":{"srcIp":"here"},"payload":"x"}`:                     "rcinfo.srcIp:",
		`{"rcinfo":{"srcMac":"02:00:00"},"payload":"x"}`:                "rcinfo.srcMac:",
		`{"rcinfo":{"hepNodeName":7},"payload":"x"}`:                    "rcinfo.hepNodeName: takes a string",
		`{"rcinfo":{"hepNodeName_base64":"!"},"payload":"x"}`:           "rcinfo.hepNodeName_base64:",
		`{"rcinfo":{"chunks":{}},"payload":"x"}`:                        "rcinfo.chunks:",
		`{"rcinfo":{"srcMac":"02:00:00:00:00:00:00:01"},"payload":"x"}`: "has not the 6 bytes",
	} {
		if _, err := hepjson.Parse([]byte(in)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", in, err, want)
		}
	}
}
