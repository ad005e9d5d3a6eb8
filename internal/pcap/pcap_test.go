package pcap_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"

	"github.com/heplake/heplake/internal/captures"
	"github.com/heplake/heplake/internal/pcap"
)

func TestEveryDatagramOfRealCaptures(t *testing.T) {
	n := 0
	for _, name := range append(captures.Names(t, "*"), captures.Names(t, "*.sip*")...) {
		got, err := read(readFile(t, captures.Path(name+".pcap")))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var udp []pcap.Payload
		for _, p := range got {
			if p.Protocol == pcap.ProtocolUDP {
				udp = append(udp, p)
			}
		}
		i := 0
		for _, want := range captures.Read(t, captures.Path(name+".pcap")) {
			if want.Transport != "udp" {
				continue
			}
			if i >= len(udp) {
				t.Fatalf("%s: %d datagrams, and frame %d is not among them", name, len(udp), want.Frame)
			}
			if p := udp[i]; !bytes.Equal(p.Data, want.Payload) || p.Src != want.Src || p.Dst != want.Dst || !p.Time.Equal(want.Time) {
				t.Fatalf("%s frame %d: %v %v→%v %d bytes, want %v %v→%v %d bytes", name, want.Frame,
					p.Time, p.Src, p.Dst, len(p.Data), want.Time, want.Src, want.Dst, len(want.Payload))
			}
			i++
		}
		if i != len(udp) {
			t.Errorf("%s: %d datagrams, want %d", name, len(udp), i)
		}
		n += i
	}
	if n < 1000 {
		t.Errorf("only %d datagrams compared", n)
	}
}

func TestStreamsOfRealCaptures(t *testing.T) {
	for _, name := range []string{"kamailio-hep3-tcp-a", "opensips-hep3-tcp-sip-xlog-a", "heplify-hep3-tcp-authkey-nodename-a", "kamailio-hep3-sip-tcp-a.sip"} {
		want := map[string][]byte{}
		for _, p := range captures.Read(t, captures.Path(name+".pcap")) {
			if p.Transport == "tcp" {
				want[p.Src.String()+p.Dst.String()] = append(want[p.Src.String()+p.Dst.String()], p.Payload...)
			}
		}
		payloads, err := read(readFile(t, captures.Path(name+".pcap")))
		if err != nil {
			t.Fatal(err)
		}
		got := map[string][]byte{}
		for _, p := range payloads {
			if p.Gap {
				t.Errorf("%s: a gap, where none is", name)
			}
			got[p.Src.String()+p.Dst.String()] = append(got[p.Src.String()+p.Dst.String()], p.Data...)
		}
		if len(want) == 0 || len(got) < len(want) {
			t.Errorf("%s: %d streams, want %d", name, len(got), len(want))
		}
		for key, stream := range want {
			if !bytes.Equal(got[key], stream) {
				t.Errorf("%s %s: %d bytes, want %d", name, key, len(got[key]), len(stream))
			}
		}
	}
}

func zip(b []byte) []byte {
	var buf bytes.Buffer
	z := gzip.NewWriter(&buf)
	_, _ = z.Write(b)
	_ = z.Close()
	return buf.Bytes()
}

func TestContainers(t *testing.T) {
	sip := realSIP(t)
	frames := framesOf(ether(t, layers.EthernetTypeIPv4, udp4(t, sip)), ether(t, layers.EthernetTypeIPv6, udp6(t, sip)))
	for name, file := range map[string][]byte{
		"pcap":      write(t, layers.LinkTypeEthernet, frames),
		"pcapng":    writeNG(t, layers.LinkTypeEthernet, frames),
		"pcap.gz":   zip(write(t, layers.LinkTypeEthernet, frames)),
		"pcapng.gz": zip(writeNG(t, layers.LinkTypeEthernet, frames)),
	} {
		if !pcap.Is(file[:4]) {
			t.Errorf("%s: not taken for a capture", name)
		}
		got, err := read(file)
		if err != nil || len(got) != 2 {
			t.Fatalf("%s: %d payloads, %v", name, len(got), err)
		}
		for i, want := range []pcap.Payload{{Src: src4, Dst: dst4, Time: clock}, {Src: src6, Dst: dst6, Time: clock.Add(time.Millisecond)}} {
			if p := got[i]; p.Src != want.Src || p.Dst != want.Dst || !p.Time.Equal(want.Time) || !bytes.Equal(p.Data, sip) || p.TOS != 0xb8 {
				t.Errorf("%s: %+v", name, p)
			}
		}
	}
}

func TestLinksAndTunnels(t *testing.T) {
	sip := realSIP(t)
	v4, v6 := udp4(t, sip), udp6(t, sip)
	plain := func(packet []byte) []byte { return ether(t, layers.EthernetTypeIPv4, packet) }
	sll := append([]byte{0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 8, 0}, v4...)
	sll2 := append([]byte{8, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0}, v4...)
	gre := &layers.GRE{Protocol: layers.EthernetTypeIPv4}
	keyed := &layers.GRE{Protocol: layers.EthernetTypeTransparentEthernetBridging, KeyPresent: true, Key: 7}
	vxlan := []gopacket.SerializableLayer{&layers.UDP{SrcPort: 1234, DstPort: 4789}, &layers.VXLAN{ValidIDFlag: true, VNI: 5}, gopacket.Payload(plain(v4))}
	for _, udp := range vxlan[:1] {
		_ = udp.(*layers.UDP).SetNetworkLayerForChecksum(ip4(layers.IPProtocolUDP))
	}
	hopByHop := append(append([]byte{}, v6[:40]...), append([]byte{17, 0, 5, 2, 0, 0, 1, 0}, v6[40:]...)...)
	hopByHop[6], hopByHop[5], hopByHop[4] = 0, byte(len(hopByHop)-40), byte((len(hopByHop)-40)>>8)
	for _, c := range []struct {
		name  string
		link  layers.LinkType
		frame []byte
		v6    bool
		vlan  uint16
	}{
		{"ethernet", layers.LinkTypeEthernet, plain(v4), false, 0},
		{"vlan", layers.LinkTypeEthernet, tagged(t, 100)(v4), false, 100},
		{"vlan in vlan", layers.LinkTypeEthernet, tagged(t, 100, 200)(v4), false, 200},
		{"linux cooked", layers.LinkTypeLinuxSLL, sll, false, 0},
		{"linux cooked 2", layers.LinkTypeLinuxSLL2, sll2, false, 0},
		{"bsd loopback", layers.LinkTypeNull, append([]byte{2, 0, 0, 0}, v4...), false, 0},
		{"raw", layers.LinkTypeRaw, v4, false, 0},
		{"raw ipv6", layers.LinkTypeRaw, v6, true, 0},
		{"mpls", layers.LinkTypeEthernet, ether(t, layers.EthernetTypeMPLSUnicast, append([]byte{0, 1, 0x01, 64}, v4...)), false, 0},
		{"pppoe", layers.LinkTypeEthernet, ether(t, layers.EthernetTypePPPoESession, append([]byte{0x11, 0, 0, 1, byte((len(v4) + 2) >> 8), byte(len(v4) + 2), 0, 0x21}, v4...)), false, 0},
		{"ip in ip", layers.LinkTypeEthernet, plain(outer4(t, layers.IPProtocolIPv4, gopacket.Payload(v4))), false, 0},
		{"ipv6 in ip", layers.LinkTypeEthernet, plain(outer4(t, layers.IPProtocolIPv6, gopacket.Payload(v6))), true, 0},
		{"gre", layers.LinkTypeEthernet, plain(outer4(t, layers.IPProtocolGRE, gre, gopacket.Payload(v4))), false, 0},
		{"ethernet in gre", layers.LinkTypeEthernet, plain(outer4(t, layers.IPProtocolGRE, keyed, gopacket.Payload(plain(v4)))), false, 0},
		{"vxlan", layers.LinkTypeEthernet, plain(outer4(t, layers.IPProtocolUDP, vxlan...)), false, 0},
		{"ipv6 extension header", layers.LinkTypeRaw, hopByHop, true, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := read(write(t, c.link, framesOf(c.frame)))
			if err != nil || len(got) != 1 {
				t.Fatalf("%d payloads, %v", len(got), err)
			}
			src, dst := src4, dst4
			if c.v6 {
				src, dst = src6, dst6
			}
			if p := got[0]; p.Src != src || p.Dst != dst || p.VLAN != c.vlan || p.Protocol != pcap.ProtocolUDP || !bytes.Equal(p.Data, sip) {
				t.Errorf("%v→%v vlan %d, %d bytes", p.Src, p.Dst, p.VLAN, len(p.Data))
			}
		})
	}
}

func TestSCTP(t *testing.T) {
	sip := realSIP(t)
	chunk := func(typ byte, body []byte) []byte {
		n := 4 + len(body)
		return append(append([]byte{typ, 3, byte(n >> 8), byte(n)}, body...), make([]byte, -n&3)...)
	}
	// A selective acknowledgement, then user data: TSN, stream, sequence, protocol.
	packet := append([]byte{0x13, 0xc4, 0x13, 0xc6, 0, 0, 0, 1, 0, 0, 0, 0}, chunk(3, make([]byte, 12))...)
	packet = append(packet, chunk(0, append(make([]byte, 12), sip...))...)
	packet = append(packet, chunk(0, append(make([]byte, 12), "second"...))...)
	got, err := read(write(t, layers.LinkTypeRaw, framesOf(serialize(t, ip4(layers.IPProtocolSCTP), gopacket.Payload(packet)))))
	if err != nil || len(got) != 2 {
		t.Fatalf("%d payloads, %v", len(got), err)
	}
	if p := got[0]; p.Src != src4 || p.Dst != dst4 || p.Protocol != pcap.ProtocolSCTP || !bytes.Equal(p.Data, sip) {
		t.Errorf("%+v", p)
	}
	if string(got[1].Data) != "second" {
		t.Errorf("%q", got[1].Data)
	}
}

func TestTruncatedFileGivesWhatIsWhole(t *testing.T) {
	file := readFile(t, captures.Path("kamailio-hep3-udp-sip-calls-a.sip.pcap"))
	all, err := read(file)
	if err != nil {
		t.Fatal(err)
	}
	for name, cut := range map[string][]byte{
		"in a packet": file[:len(file)-10], "in a header": file[:24+16+4], "gzipped": zip(file)[:len(zip(file))/2],
	} {
		got, err := read(cut)
		if !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: error %v", name, err)
		}
		if name == "in a packet" && len(got) != len(all)-1 {
			t.Errorf("%s: %d payloads, want %d", name, len(got), len(all)-1)
		}
		for i, p := range got {
			if !bytes.Equal(p.Data, all[i].Data) {
				t.Errorf("%s: payload %d differs", name, i)
			}
		}
	}
}

func TestNoCapture(t *testing.T) {
	for _, file := range []string{"", "x", "HEP3", "not a capture at all, but long enough for a header"} {
		if _, err := read([]byte(file)); err == nil || !strings.Contains(err.Error(), "neither pcap nor pcapng") {
			t.Errorf("%q: error %v", file, err)
		}
		if pcap.Is([]byte(file)) {
			t.Errorf("%q: taken for a capture", file)
		}
	}
}

func TestErrorOfTheFunctionEndsTheReading(t *testing.T) {
	stop, n := errors.New("enough"), 0
	err := pcap.Read(bytes.NewReader(readFile(t, captures.Path("kamailio-hep3-udp-sip-calls-a.sip.pcap"))), func(pcap.Payload) error {
		n++
		return stop
	})
	if !errors.Is(err, stop) || n != 1 {
		t.Errorf("called %d times, error %v", n, err)
	}
}
