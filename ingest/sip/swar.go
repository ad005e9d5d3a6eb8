package sip

import (
	"encoding/binary"
	"math/bits"
)

// The searches of this file take eight bytes at a time, as one integer of which
// each byte is a lane (SIMD within a register). Loops over single bytes cost more
// than their instructions: they fill the processor's record of branches, and
// then the end of each one comes as a surprise. The parts of a SIP header are
// short, mostly less than 16 bytes, so the assembly of package bytes costs more
// in its call than it saves.
//
// They are correct on every platform: the bytes are loaded as little-endian,
// whatever the processor's order, and the first match is the lowest lane that
// matched.

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// stops sets the highest bit of each byte of x that may end a part of a value:
// control characters, space, '!' and '"', the comma, what lies between ':' and
// '@', and all that is not ASCII. The other bits are 0.
func stops(x uint64) uint64 {
	t := x &^ highs
	notLow := t + ones*(0x80-'#')
	notComma := (t ^ ones*',') + ones*0x7f
	colonToAt := (t + ones*(0x80-':')) &^ (t + ones*(0x80-'A'))
	return (^(notLow & notComma) | colonToAt | x) & highs
}

// stopAt is the offset of the first stop at b[i] or behind it, len(b) when there
// is none.
func stopAt(b []byte, i int) int {
	for ; i <= len(b)-8; i += 8 {
		if m := stops(binary.LittleEndian.Uint64(b[i : i+8 : i+8])); m != 0 {
			return i + bits.TrailingZeros64(m)>>3
		}
	}
	// The zeros behind the end are stops.
	return i + bits.TrailingZeros64(stops(tail(b, i)))>>3
}

// byteAt is bytes.IndexByte from b[i] on; len(b) when c is not there.
func byteAt(b []byte, i int, c byte) int {
	pattern := ones * uint64(c)
	for ; i <= len(b)-8; i += 8 {
		x := binary.LittleEndian.Uint64(b[i:i+8:i+8]) ^ pattern
		// A lane borrows from the next one only when it matched, so the lowest
		// match is exact.
		if m := (x - ones) &^ x & highs; m != 0 {
			return i + bits.TrailingZeros64(m)>>3
		}
	}
	for i < len(b) && b[i] != c {
		i++
	}
	return i
}

// partEnd is the offset of the first '/', space or control character at b[i] or
// behind it, len(b) when there is none.
func partEnd(b []byte, i int) int {
	for ; i <= len(b)-8; i += 8 {
		if m := partEnds(binary.LittleEndian.Uint64(b[i : i+8 : i+8])); m != 0 {
			return i + bits.TrailingZeros64(m)>>3
		}
	}
	return i + bits.TrailingZeros64(partEnds(tail(b, i)))>>3
}

// partEnds sets the highest bit of the lowest byte of x that is '/', space or a
// control character; those above it mean nothing.
func partEnds(x uint64) uint64 {
	slash := x ^ ones*'/'
	return ((slash-ones)&^slash | (x-ones*'!')&^x) & highs
}

// wordEnd is the offset of the first space or control character at b[i] or
// behind it, len(b) when there is none.
func wordEnd(b []byte, i int) int {
	for ; i <= len(b)-8; i += 8 {
		if m := wordEnds(binary.LittleEndian.Uint64(b[i : i+8 : i+8])); m != 0 {
			return i + bits.TrailingZeros64(m)>>3
		}
	}
	return i + bits.TrailingZeros64(wordEnds(tail(b, i)))>>3
}

// wordEnds is partEnds without the '/'.
func wordEnds(x uint64) uint64 { return (x - ones*'!') &^ x & highs }

// tail is the bytes from b[i] on, of which there are less than eight, with
// zeros behind them.
func tail(b []byte, i int) (x uint64) {
	if n := len(b); n >= 8 {
		return binary.LittleEndian.Uint64(b[n-8:]) >> (8 * uint(8-(n-i)) & 63) & (1<<(8*uint(n-i)&63) - 1)
	}
	for k := len(b) - 1; k >= i; k-- {
		x = x<<8 | uint64(b[k])
	}
	return x
}

// closingQuote is the offset of the quote that ends the quoted string whose
// first character is b[i]; -1 when a control character comes before it, or the
// end of b within eight bytes.
func closingQuote(b []byte, i int) int {
	for i <= len(b)-8 {
		x := binary.LittleEndian.Uint64(b[i : i+8 : i+8])
		quote, escape := x^ones*'"', x^ones*'\\'
		// In each term the lowest match is exact, so it is in all together.
		m := ((quote-ones)&^quote | (escape-ones)&^escape | (x-ones*' ')&^x) & highs
		if m == 0 {
			i += 8
			continue
		}
		i += bits.TrailingZeros64(m) >> 3
		switch {
		case b[i] == '"':
			return i
		case b[i] != '\\' || at(b, i+1) < ' ':
			return -1
		}
		i += 2
	}
	return -1
}
