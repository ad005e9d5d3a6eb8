package media

import (
	"net/netip"
	"unicode/utf16"
	"unicode/utf8"
)

// trim cuts blanks off both ends.
func trim(b []byte) []byte {
	for len(b) > 0 && b[0] <= ' ' {
		b = b[1:]
	}
	for len(b) > 0 && b[len(b)-1] <= ' ' {
		b = b[:len(b)-1]
	}
	return b
}

// equalFold compares b to a word in lower case, ASCII letters in any case.
func equalFold(b []byte, lower string) bool {
	if len(b) != len(lower) {
		return false
	}
	for i, c := range b {
		if lowerASCII(c) != lower[i] {
			return false
		}
	}
	return true
}

func lowerASCII(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10, true
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

// parseHex reads 1 to 15 hexadecimal digits.
func parseHex(b []byte) (uint64, bool) {
	if len(b) == 0 || len(b) > 15 {
		return 0, false
	}
	var v uint64
	for _, c := range b {
		d, ok := hexDigit(c)
		if !ok {
			return 0, false
		}
		v = v<<4 | uint64(d)
	}
	return v, true
}

// parseSSRC reads an SSRC in text: 0x hexadecimal, decimal, or hexadecimal
// without prefix, which RFC 6035's own example uses, where a letter gives it away.
func parseSSRC(b []byte) uint32 {
	b = trim(b)
	if n := numberText(b); n.ok {
		return n.u32()
	}
	v, ok := parseHex(b)
	if !ok || v>>32 != 0 {
		return 0
	}
	return uint32(v)
}

// parseAddr reads an IP address, in brackets or not; invalid gives the zero Addr.
func parseAddr(b []byte) netip.Addr {
	b = trim(b)
	if n := len(b); n >= 2 && b[0] == '[' && b[n-1] == ']' {
		b = b[1 : n-1]
	}
	if len(b) > 64 {
		return netip.Addr{}
	}
	a, err := netip.ParseAddr(string(b))
	if err != nil {
		return netip.Addr{}
	}
	return a.WithZone("")
}

// parseAddrPort reads "ip:port", "[ip]:port" or an address alone.
func parseAddrPort(b []byte) netip.AddrPort {
	b = trim(b)
	if len(b) > 64 {
		return netip.AddrPort{}
	}
	if ap, err := netip.ParseAddrPort(string(b)); err == nil {
		return netip.AddrPortFrom(ap.Addr().WithZone(""), ap.Port())
	}
	return netip.AddrPortFrom(parseAddr(b), 0)
}

// unescape appends the text of a validated JSON string to dst. Lone surrogates
// become U+FFFD, as in encoding/json.
func unescape(dst, raw []byte) []byte {
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' {
			dst = append(dst, raw[i])
			continue
		}
		i++
		switch c := raw[i]; c {
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'u':
			r := hexRune(raw[i+1:])
			i += 4
			if utf16.IsSurrogate(r) {
				low := rune(-1)
				if len(raw) > i+6 && raw[i+1] == '\\' && raw[i+2] == 'u' {
					low = hexRune(raw[i+3:])
				}
				if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
					i += 6
				}
			}
			dst = utf8.AppendRune(dst, r)
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

// hexRune reads four hexadecimal digits that are known to be there.
func hexRune(b []byte) rune {
	v, _ := parseHex(b[:4])
	return rune(v)
}

// addrPort joins an address in text to a port; an invalid address gives the zero value.
func addrPort(ip []byte, port uint16) netip.AddrPort {
	a := parseAddr(ip)
	if !a.IsValid() {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(a, port)
}
