package export

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"net/netip"
	"strings"
	"unicode"
)

// pseudonyms makes them. The same original always has the same pseudonym under
// the same key; without the key nothing leads back.
type pseudonyms struct {
	key   []byte
	words map[string]string
	// known are originals that are somebody's: what is looked for in free text.
	known map[string]string
	// addrs are the addresses seen, taken the pseudonyms of public IPv4 ones.
	addrs map[netip.Addr]netip.Addr
	taken map[netip.Addr]bool
}

func newPseudonyms(key []byte) *pseudonyms {
	if len(key) == 0 {
		key = make([]byte, 32)
		_, _ = rand.Read(key) // never fails
	}
	return &pseudonyms{key: key, words: map[string]string{}, known: map[string]string{}, addrs: map[netip.Addr]netip.Addr{}, taken: map[netip.Addr]bool{}}
}

// sum is a keyed hash of the parts.
func (p *pseudonyms) sum(purpose byte, parts ...[]byte) []byte {
	h := hmac.New(sha256.New, p.key)
	h.Write([]byte{purpose})
	for _, part := range parts {
		var n [4]byte
		binary.BigEndian.PutUint32(n[:], uint32(len(part)))
		h.Write(n[:])
		h.Write(part)
	}
	return h.Sum(nil)
}

// What a hash is for.
const (
	forWord byte = iota
	forStream
	forIPv4
	forPrefix
	forIPv6
)

// position is a character that is replaced by another of its class.
type position struct {
	at    int // in the text
	base  byte
	radix int
	value int
}

// word is the pseudonym of a name, a number or a token: of the same length and
// shape, digits for digits, letters for letters of the same case, everything else
// as it is. It is a permutation of all texts of that shape (a Feistel network,
// as in NIST SP 800-38G, over digits of mixed radix), so that different originals
// keep different pseudonyms.
func (p *pseudonyms) word(s string) string {
	if w, ok := p.words[s]; ok {
		return w
	}
	text, list := positions(s)
	if len(list) == 0 {
		return s
	}
	out := s
	for tweak := byte(0); out == s && tweak < 100; tweak++ { // a short one may be its own image
		for i, q := range list {
			list[i].value = int(text[q.at] - q.base)
		}
		p.permute(list, append([]byte(shapeOf(text, list)), tweak))
		b := []byte(text)
		for _, q := range list {
			b[q.at] = q.base + byte(q.value)
		}
		out = string(b)
	}
	p.words[s] = out
	return out
}

// positions lists what of a text is replaced. Letters outside ASCII are taken for
// ASCII ones.
func positions(s string) (text string, list []position) {
	var b []byte
	letters, digits, hex := 0, 0, true
	for _, r := range s {
		switch {
		case r >= 0x80 && unicode.IsUpper(r):
			r = 'A' + r%26
		case r >= 0x80:
			r = 'a' + r%26
		}
		c := byte(r)
		q := position{at: len(b)}
		switch {
		case '0' <= c && c <= '9':
			q.base, q.radix = '0', 10
			digits++
		case 'a' <= c && c <= 'z':
			q.base, q.radix = 'a', 26
			letters++
			hex = hex && c <= 'f'
		case 'A' <= c && c <= 'Z':
			q.base, q.radix = 'A', 26
			letters++
			hex = hex && c <= 'F'
		}
		b = append(b, c)
		if q.radix > 0 {
			list = append(list, q)
		}
	}
	if hex && letters > 0 && digits > 0 && letters+digits >= 8 { // hexadecimal stays so
		for i := range list {
			if list[i].radix == 26 {
				list[i].radix = 6
			}
		}
	}
	return string(b), list
}

// shapeOf is a text without what is replaced in it.
func shapeOf(text string, list []position) string {
	b := []byte(text)
	for _, q := range list {
		b[q.at] = byte(q.radix)
	}
	return string(b)
}

// permute runs the Feistel network: each half in turn is moved by a keyed hash of
// the other.
func (p *pseudonyms) permute(list []position, shape []byte) {
	const rounds = 8
	halves := [2][]position{list[:len(list)/2], list[len(list)/2:]}
	for round := range rounds {
		moved, other := halves[(round+1)%2], halves[round%2]
		values := make([]byte, len(other))
		for i, q := range other {
			values[i] = byte(q.value)
		}
		seed := p.sum(forWord, shape, []byte{byte(round)}, values)
		for i := range moved {
			if i > 0 && i%8 == 0 {
				seed = p.sum(forStream, seed)
			}
			n := int(binary.BigEndian.Uint32(seed[i%8*4:]))
			moved[i].value = (moved[i].value + n%moved[i].radix) % moved[i].radix
		}
	}
}

// remember is word for something that is somebody's, wherever it occurs.
func (p *pseudonyms) remember(s string) string {
	w := p.word(s)
	if len(s) > 1 && w != s {
		p.known[s] = w
	}
	return w
}

// privateRanges are the IPv4 ranges whose addresses keep their range, and within
// it their common prefixes: a reader still sees what is behind a NAT.
var privateRanges = []netip.Prefix{
	netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("172.16.0.0/12"), netip.MustParsePrefix("192.168.0.0/16"),
	netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("169.254.0.0/16"),
}

// addr is an address's pseudonym. Private IPv4 addresses stay in their range,
// prefixes kept; public ones go to 240.0.0.0/4, which is reserved (RFC 1112) and
// larger than the documentation ranges, which have too few addresses to tell
// hosts apart; IPv6 goes to 2001:db8::/32 (RFC 3849). The unspecified address,
// which means hold in SDP, stays.
func (p *pseudonyms) addr(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	if !a.IsValid() || a.IsUnspecified() {
		return a
	}
	out, ok := p.addrs[a]
	if !ok {
		out = p.newAddr(a)
		p.addrs[a] = out
	}
	return out
}

func (p *pseudonyms) newAddr(a netip.Addr) netip.Addr {
	if a.Is6() {
		b := netip.MustParseAddr("2001:db8::").As16()
		orig := a.As16()
		copy(b[4:], p.sum(forIPv6, orig[:]))
		return netip.AddrFrom16(b)
	}
	for _, r := range privateRanges {
		if r.Contains(a) {
			return p.withinPrefix(a, r.Bits())
		}
	}
	b := a.As4()
	n := binary.BigEndian.Uint32(p.sum(forIPv4, b[:]))
	for {
		binary.BigEndian.PutUint32(b[:], n|0xf0000000)
		out := netip.AddrFrom4(b)
		if !p.taken[out] && n|0xf0000000 != 0xffffffff {
			p.taken[out] = true
			return out
		}
		n++
	}
}

// withinPrefix turns each bit behind the first ones by a keyed hash of those
// before it, which keeps common prefixes common (Xu et al., Prefix-preserving IP
// address anonymization, 2002).
func (p *pseudonyms) withinPrefix(a netip.Addr, bits int) netip.Addr {
	b := a.As4()
	n := binary.BigEndian.Uint32(b[:])
	out := n
	for i := bits; i < 32; i++ {
		var prefix [5]byte
		binary.BigEndian.PutUint32(prefix[:], n>>(32-i)<<(32-i))
		prefix[4] = byte(i)
		out ^= uint32(p.sum(forPrefix, prefix[:])[0]&1) << (31 - i)
	}
	binary.BigEndian.PutUint32(b[:], out)
	return netip.AddrFrom4(b)
}

// addrPort is the pseudonym of an address with its port, which stays.
func (p *pseudonyms) addrPort(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(p.addr(a.Addr()), a.Port())
}

// publicNames are hosts and users that say nothing about anyone (RFC 3323, RFC 6761).
var publicNames = map[string]bool{"anonymous": true, "anonymous.invalid": true, "restricted": true, "unavailable": true, "localhost": true}

// host is the pseudonym of a host: an address, in brackets or not, or a name.
// A name's domain goes to .example (RFC 2606); names below the same domain stay so.
func (p *pseudonyms) host(s string) string {
	bare := strings.TrimSuffix(strings.TrimPrefix(s, "["), "]")
	if a, err := netip.ParseAddr(bare); err == nil {
		out := p.addr(a).String()
		p.known[bare] = out
		if strings.HasPrefix(s, "[") {
			return "[" + out + "]"
		}
		return out
	}
	name := strings.ToLower(s)
	if name == "" || publicNames[name] {
		return s
	}
	labels := strings.Split(strings.TrimSuffix(name, "."), ".")
	if len(labels) == 1 {
		return p.remember(s)
	}
	parent := "." + labels[len(labels)-1]
	out := "example"
	for i := len(labels) - 2; i >= 0; i-- {
		// The label's pseudonym depends on what it is below.
		text, list := positions(labels[i])
		if len(list) > 0 {
			text = p.word(labels[i] + parent)[:len(text)]
		}
		out = text + "." + out
		p.known[labels[i]+parent] = out
		parent = "." + labels[i] + parent
	}
	p.known[s] = out
	return out
}

// hostPort is host for host:port.
func (p *pseudonyms) hostPort(s string) string {
	host, port := splitPort(s)
	return p.host(host) + port
}

// id is the pseudonym of a Call-ID or of what else an agent correlates by: that of
// its word, and of the host it may end in.
func (p *pseudonyms) id(s string) string {
	local, host, ok := cutLast(s, "@")
	out := p.word(local)
	if ok {
		out += "@" + p.host(host)
	}
	if out != s {
		p.known[s] = out
	}
	return out
}

// cutLast is strings.Cut at the last separator.
func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}
