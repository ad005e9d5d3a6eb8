package media

import "strconv"

// num is a number as JSON or a string of JSON gives it.
type num struct {
	f  float64
	i  int64 // f cut to an integer, exact up to 18 digits
	ok bool  // there was a number
}

// numberLen is the length of the JSON number at the start of b, 0 if none.
func numberLen(b []byte) int {
	i := 0
	digits := func() bool {
		from := i
		for i < len(b) && b[i] >= '0' && b[i] <= '9' {
			i++
		}
		return i > from
	}
	if i < len(b) && b[i] == '-' {
		i++
	}
	if i < len(b) && b[i] == '0' {
		i++
	} else if !digits() {
		return 0
	}
	if i < len(b) && b[i] == '.' {
		if i++; !digits() {
			return 0
		}
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		if !digits() {
			return 0
		}
	}
	return i
}

var pow10 = [...]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15}

// parseNumber reads a number that has passed numberLen. Up to 15 digits
// without exponent it is exact and without allocation.
func parseNumber(b []byte) num {
	neg := b[0] == '-'
	i := 0
	if neg {
		i++
	}
	var mant int64
	digits, frac, dot := 0, 0, false
	for ; i < len(b); i++ {
		c := b[i]
		if c == '.' {
			dot = true
			continue
		}
		if c < '0' || c > '9' || digits == 18 {
			return slowNumber(b)
		}
		mant = mant*10 + int64(c-'0')
		digits++
		if dot {
			frac++
		}
	}
	if neg {
		mant = -mant
	}
	if !dot {
		return num{float64(mant), mant, true}
	}
	if digits > 15 {
		return slowNumber(b)
	}
	f := float64(mant) / pow10[frac]
	return num{f, int64(f), true}
}

// slowNumber reads what parseNumber does not.
func slowNumber(b []byte) num {
	f, err := strconv.ParseFloat(string(b), 64)
	if err != nil {
		return num{}
	}
	n := num{f: f, ok: true}
	switch {
	case f >= 1<<63:
		n.i = 1<<63 - 1
	case f <= -1<<63:
		n.i = -1 << 63
	default:
		n.i = int64(f)
	}
	return n
}

// numberText reads a whole text as a number: decimal or 0x hexadecimal, blanks around it.
func numberText(b []byte) num {
	b = trim(b)
	if len(b) > 2 && b[0] == '0' && b[1]|0x20 == 'x' {
		if v, ok := parseHex(b[2:]); ok {
			return num{float64(v), int64(v), true}
		}
		return num{}
	}
	if len(b) > 1 && b[0] == '+' {
		b = b[1:]
	}
	// A leading zero is no JSON number but is one in text.
	for len(b) > 1 && b[0] == '0' && b[1] >= '0' && b[1] <= '9' {
		b = b[1:]
	}
	if n := numberLen(b); n == 0 || n != len(b) {
		return num{}
	}
	return parseNumber(b)
}

// u32 is the number's low 32 bits: a negative SSRC is one printed as signed.
func (n num) u32() uint32 { return uint32(n.i) }

// u64 is the number, 0 if negative.
func (n num) u64() uint64 { return uint64(max(n.i, 0)) }

// u16 is the number if it fits, else 0.
func (n num) u16() uint16 {
	if n.i < 0 || n.i > 65535 {
		return 0
	}
	return uint16(n.i)
}

// u8 is the number bounded to 0..255, as for counters that a sender let run over.
func (n num) u8() uint8 { return uint8(min(max(n.i, 0), 255)) }

// i8 is the number bounded to -128..127; 128..255 is one printed unsigned.
func (n num) i8() int8 {
	if n.i > 127 && n.i < 256 {
		return int8(n.i - 256)
	}
	return int8(min(max(n.i, -128), 127))
}
