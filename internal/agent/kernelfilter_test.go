package agent

import (
	"bytes"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"golang.org/x/net/bpf"
)

// frameOf wraps a UDP payload in IPv4 or IPv6, and in Ethernet.
func frameOf(t testing.TB, ethernet, v6, options bool, payload []byte) []byte {
	t.Helper()
	udp := &layers.UDP{SrcPort: 20000, DstPort: 20002}
	parts := []gopacket.SerializableLayer{}
	typ := layers.EthernetTypeIPv4
	if v6 {
		typ = layers.EthernetTypeIPv6
	}
	if ethernet {
		parts = append(parts, &layers.Ethernet{SrcMAC: make([]byte, 6), DstMAC: make([]byte, 6), EthernetType: typ})
	}
	if v6 {
		ip := &layers.IPv6{Version: 6, NextHeader: layers.IPProtocolUDP, SrcIP: make([]byte, 16), DstIP: make([]byte, 16)}
		_ = udp.SetNetworkLayerForChecksum(ip)
		parts = append(parts, ip)
	} else {
		ip := &layers.IPv4{Version: 4, IHL: 5, Protocol: layers.IPProtocolUDP, SrcIP: alice.Addr().AsSlice(), DstIP: bob.Addr().AsSlice()}
		if options {
			ip.Options = []layers.IPv4Option{{OptionType: 7, OptionLength: 4, OptionData: []byte{4, 0}}}
		}
		_ = udp.SetNetworkLayerForChecksum(ip)
		parts = append(parts, ip)
	}
	buf := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true}, append(parts, udp, gopacket.Payload(payload))...); err != nil {
		t.Fatal(err)
	}
	return bytes.Clone(buf.Bytes())
}

func TestKernelFilter(t *testing.T) {
	invite, _ := messages(t)
	rtp := append([]byte{0x80, 8, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1}, make([]byte, 160)...)
	marked := append([]byte{0x80, 0x88, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1}, make([]byte, 160)...)
	rtcp := rtcpOf(t)[0]
	for _, wantRTP := range []bool{false, true} {
		for _, ethernet := range []bool{false, true} {
			program, err := kernelFilter(ethernet, false, wantRTP)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := bpf.Assemble(program); err != nil {
				t.Fatal(err)
			}
			vm, err := bpf.NewVM(program)
			if err != nil {
				t.Fatal(err)
			}
			at := 0
			if ethernet {
				at = 14
			}
			change := func(frame []byte, off int, to ...byte) []byte {
				frame = bytes.Clone(frame)
				copy(frame[at+off:], to)
				return frame
			}
			v4, v6 := frameOf(t, ethernet, false, false, invite), frameOf(t, ethernet, true, false, invite)
			voice4, voice6 := frameOf(t, ethernet, false, false, rtp), frameOf(t, ethernet, true, false, rtp)
			for _, c := range []struct {
				name  string
				frame []byte
				pass  bool
			}{
				{"SIP", v4, true},
				{"SIP over IPv6", v6, true},
				{"SIP behind IP options", frameOf(t, ethernet, false, true, invite), true},
				{"RTCP", frameOf(t, ethernet, false, false, rtcp), true},
				{"RTCP over IPv6", frameOf(t, ethernet, true, false, rtcp), true},
				{"RTP", voice4, wantRTP},
				{"RTP with marker", frameOf(t, ethernet, false, false, marked), wantRTP},
				{"RTP behind IP options", frameOf(t, ethernet, false, true, rtp), wantRTP},
				{"RTP over IPv6", voice6, wantRTP},
				{"a fragment", change(voice4, 6, 0x20, 0), true},
				{"a later fragment", change(voice4, 6, 0, 100), true},
				{"TCP", change(v4, 9, 6), true},
				{"IP in IP", change(v4, 9, 4), true},
				{"GRE", change(v4, 9, 47), true},
				{"SCTP", change(v4, 9, 132), true},
				{"ICMP", change(v4, 9, 1), false},
				{"ICMPv6", change(v6, 6, 58), false},
				{"an IPv6 fragment", change(voice6, 6, 44), true},
				{"TCP over IPv6", change(v6, 6, 6), true},
				// Ethernet pads it: there are bytes to look at.
				{"an empty datagram", frameOf(t, ethernet, false, false, nil), wantRTP || ethernet},
				{"nothing", nil, false},
			} {
				n, err := vm.Run(c.frame)
				if err != nil {
					t.Fatal(err)
				}
				if pass := n > 0; pass != c.pass {
					t.Errorf("%s (ethernet %v, RTP wanted %v): passes %v", c.name, ethernet, wantRTP, pass)
				}
			}
			if !ethernet {
				continue
			}
			for name, typ := range map[string]uint16{"VLAN": 0x8100, "QinQ": 0x88a8, "MPLS": 0x8847, "PPPoE": 0x8864} {
				frame := bytes.Clone(v4)
				frame[12], frame[13] = byte(typ>>8), byte(typ)
				if n, _ := vm.Run(frame); n == 0 {
					t.Errorf("%s does not pass", name)
				}
			}
			arp := bytes.Clone(v4)
			arp[12], arp[13] = 0x08, 0x06
			if n, _ := vm.Run(arp); n != 0 {
				t.Error("ARP passes")
			}
		}
	}
}
