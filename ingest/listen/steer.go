package listen

import (
	"encoding/binary"

	"golang.org/x/net/bpf"
)

// Steering. The kernel chooses the socket of a datagram by its sender's address
// and port: one capture agent that reports everything keeps one worker busy and
// the others idle. The program made here chooses by who speaks to whom in the
// captured packet instead, so that the traffic of one agent spreads, while both
// directions of a connection, and so the order within a call's hop, stay with
// one worker: SIP over TCP is put together, and RTP measured, by its worker.
//
// A filter can only look at fixed places. Those are known for the orders in
// which agents write the first chunks of HEP3: addresses before ports
// (captagent, heplify, heplake) and ports before addresses (Kamailio,
// OpenSIPS). Of anything else the sender decides, as before.

// Offsets of chunks, in bytes from the start of the datagram. A chunk has a header
// of 6: vendor, type, length.
const (
	chunkHeader = 6
	first       = 6                        // after "HEP3" and the length: address family, 1 byte
	second      = first + 7                // protocol, 1 byte
	third       = second + 7               // source address or port
	afterV4     = third + 2*10             // behind two IPv4 addresses
	afterV6     = third + 2*22             // behind two IPv6 addresses
	generic     = 2*8 + 2*10               // ports and time, as Kamailio goes on
	lateAddrs   = third + generic + 7 + 10 // behind protocol type and capture id
)

// Chunk types with vendor 0, as 32 bits.
const (
	sourceV4   = 3
	sourceV6   = 5
	sourcePort = 7
)

// anySocket is no socket's number: the kernel goes by the sender.
const anySocket = 0xffffffff

// field is a number in the datagram.
type field struct {
	at   uint32
	size int
}

// steering is the filter that gives a datagram's socket, out of so many.
func steering(sockets int) []bpf.Instruction {
	ports := func(at uint32) []field { return []field{{at + chunkHeader, 2}, {at + 8 + chunkHeader, 2}} }
	v4 := fold(append([]field{{third + chunkHeader, 4}, {third + 10 + chunkHeader, 4}}, ports(afterV4)...)...)
	// Of IPv6 the last four bytes, which differ most.
	v6 := fold(append([]field{{third + chunkHeader + 12, 4}, {third + 22 + chunkHeader + 12, 4}}, ports(afterV6)...)...)
	kamailio := fold(append([]field{{lateAddrs + chunkHeader, 4}, {lateAddrs + 10 + chunkHeader, 4}}, ports(third)...)...)

	byHash := []bpf.Instruction{
		// Knuth's multiplier, to make of all bits some that differ.
		bpf.ALUOpConstant{Op: bpf.ALUOpMul, Val: 2654435761},
		bpf.ALUOpConstant{Op: bpf.ALUOpShiftRight, Val: 16},
		bpf.ALUOpConstant{Op: bpf.ALUOpMod, Val: uint32(sockets)},
		bpf.RetA{},
	}
	unknown := []bpf.Instruction{bpf.RetConstant{Val: anySocket}}
	is := func(at uint32, value uint32) []bpf.Instruction {
		return []bpf.Instruction{bpf.LoadAbsolute{Off: at, Size: 4}, bpf.JumpIf{Cond: bpf.JumpEqual, Val: value}}
	}
	var p []bpf.Instruction
	// when appends: if the word at this place has the value, the hash of these.
	when := func(test, then []bpf.Instruction) {
		then = append(then, byHash...)
		jump := test[len(test)-1].(bpf.JumpIf)
		jump.SkipFalse = uint8(len(then))
		test[len(test)-1] = jump
		p = append(append(p, test...), then...)
	}
	p = append(p,
		bpf.LoadAbsolute{Off: 0, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: binary.BigEndian.Uint32([]byte("HEP3")), SkipTrue: 2},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: binary.BigEndian.Uint32([]byte("EEP3")), SkipTrue: 1},
		unknown[0],
	)
	when(is(third, sourceV4), v4)
	when(is(third, sourceV6), v6)
	p = append(p,
		bpf.LoadAbsolute{Off: third, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: sourcePort, SkipTrue: 1},
		unknown[0],
	)
	when(is(lateAddrs, sourceV4), kamailio)
	return append(p, unknown...)
}

// fold leaves the fields, xored, in the accumulator: the same for both directions.
func fold(fields ...field) []bpf.Instruction {
	p := []bpf.Instruction{bpf.LoadAbsolute{Off: fields[0].at, Size: fields[0].size}}
	for _, f := range fields[1:] {
		p = append(p, bpf.TAX{}, bpf.LoadAbsolute{Off: f.at, Size: f.size}, bpf.ALUOpX{Op: bpf.ALUOpXor})
	}
	return p
}
