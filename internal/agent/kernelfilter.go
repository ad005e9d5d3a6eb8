package agent

import (
	"fmt"

	"golang.org/x/net/bpf"
)

// kernelFilter is a program for the kernel that drops frames which hold nothing
// for us: other protocols than IP, IP without UDP, TCP, SCTP or a tunnel in it,
// and, unless wanted, RTP, which is nearly all of the traffic. When in doubt a
// frame passes: tags, tunnels, fragments and extension headers are looked into
// later. On a loopback interface every packet is seen going and coming; the
// first is dropped.
func kernelFilter(ethernet, loopback, rtp bool) ([]bpf.Instruction, error) {
	const (
		etherIPv4, etherIPv6           = 0x0800, 0x86dd
		etherVLAN, etherQinQ           = 0x8100, 0x88a8
		etherMPLS, etherPPPoE          = 0x8847, 0x8864
		packetOutgoing                 = 4 // PACKET_OUTGOING of linux/if_packet.h
		ipip, tcp, udp, ip6, gre, sctp = 4, 6, 17, 41, 47, 132
		icmp6                          = 58
	)
	var p program
	at := uint32(0) // of the IP header
	if loopback {
		p.add(bpf.LoadExtension{Num: bpf.ExtType})
		p.jump(packetOutgoing, "drop")
	}
	if ethernet {
		at = 14
		p.add(bpf.LoadAbsolute{Off: 12, Size: 2})
		p.jump(etherIPv4, "ip4")
		p.jump(etherIPv6, "ip6")
		for _, t := range []uint32{etherVLAN, etherQinQ, etherMPLS, etherPPPoE} {
			p.jump(t, "pass")
		}
		p.end("drop")
	} else {
		p.add(bpf.LoadAbsolute{Off: 0, Size: 1}, bpf.ALUOpConstant{Op: bpf.ALUOpShiftRight, Val: 4})
		p.jump(6, "ip6")
	}
	p.label("ip4")
	p.add(bpf.LoadAbsolute{Off: at + 9, Size: 1})
	p.jump(udp, "udp4")
	for _, t := range []uint32{tcp, sctp, ipip, ip6, gre} {
		p.jump(t, "pass")
	}
	p.end("drop")
	p.label("udp4")
	if !rtp {
		// Fragments: more of them, or an offset.
		p.add(bpf.LoadAbsolute{Off: at + 6, Size: 2})
		p.jumpIf(bpf.JumpBitsSet, 0x3fff, "pass")
		p.add(bpf.LoadMemShift{Off: at})
		p.dropRTP(func(off uint32) bpf.Instruction { return bpf.LoadIndirect{Off: at + off, Size: 1} })
	}
	p.end("pass")
	p.label("ip6")
	p.add(bpf.LoadAbsolute{Off: at + 6, Size: 1})
	p.jump(icmp6, "drop")
	if !rtp {
		p.jump(udp, "udp6")
	}
	p.end("pass")
	if !rtp {
		p.label("udp6")
		p.dropRTP(func(off uint32) bpf.Instruction { return bpf.LoadAbsolute{Off: at + 40 + off, Size: 1} })
	}
	p.label("pass")
	p.add(bpf.RetConstant{Val: 1 << 18})
	p.label("drop")
	p.add(bpf.RetConstant{Val: 0})
	return p.link()
}

// dropRTP passes a UDP datagram unless it has RTP's version and a payload type
// that is not RTCP's (RFC 5761 section 4). load loads a byte by its offset from
// the UDP header.
func (p *program) dropRTP(load func(off uint32) bpf.Instruction) {
	p.add(load(8), bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: 0xc0})
	p.jumpIf(bpf.JumpNotEqual, 0x80, "pass")
	p.add(load(9))
	p.jumpIf(bpf.JumpLessThan, 192, "drop")
	p.jumpIf(bpf.JumpGreaterThan, 223, "drop")
	p.end("pass")
}

// program is a BPF program with names for the targets of its jumps.
type program struct {
	ins    []bpf.Instruction
	labels map[string]int
	jumps  map[int]string
}

func (p *program) add(ins ...bpf.Instruction) { p.ins = append(p.ins, ins...) }

func (p *program) label(name string) {
	if p.labels == nil {
		p.labels = map[string]int{}
	}
	p.labels[name] = len(p.ins)
}

// jump goes to the label when the accumulator is v.
func (p *program) jump(v uint32, label string) { p.jumpIf(bpf.JumpEqual, v, label) }

func (p *program) jumpIf(cond bpf.JumpTest, v uint32, label string) {
	p.target(label)
	p.add(bpf.JumpIf{Cond: cond, Val: v})
}

// end goes to the label.
func (p *program) end(label string) {
	p.target(label)
	p.add(bpf.Jump{})
}

func (p *program) target(label string) {
	if p.jumps == nil {
		p.jumps = map[int]string{}
	}
	p.jumps[len(p.ins)] = label
}

// link puts the distances into the jumps.
func (p *program) link() ([]bpf.Instruction, error) {
	for at, label := range p.jumps {
		to, ok := p.labels[label]
		skip := to - at - 1
		if !ok || skip < 0 || skip > 255 {
			return nil, fmt.Errorf("kernel filter: no jump from %d to %s", at, label)
		}
		switch ins := p.ins[at].(type) {
		case bpf.JumpIf:
			ins.SkipTrue = uint8(skip)
			p.ins[at] = ins
		case bpf.Jump:
			p.ins[at] = bpf.Jump{Skip: uint32(skip)}
		}
	}
	return p.ins, nil
}
