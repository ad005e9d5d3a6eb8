package agent

import (
	"net/netip"

	"github.com/heplake/heplake/ingest/sip"
)

// callIndex knows which call a media address belongs to, from the SDP in the
// SIP that went by. It keeps the last maxCalls to 2 × maxCalls addresses.
type callIndex struct {
	scanner   *sip.Scanner
	message   sip.Message
	now, past map[netip.AddrPort][]byte
}

const maxCalls = 32768

// learn takes the media addresses of a SIP message.
func (c *callIndex) learn(message []byte) {
	if !c.scanner.Scan(&c.message, message) || !c.message.SDP.Has || len(c.message.CallID) == 0 {
		return
	}
	id := append([]byte(nil), c.message.CallID...)
	for _, s := range c.message.SDP.Streams() {
		if s.Port == 0 {
			continue
		}
		addr, err := netip.ParseAddr(string(s.Addr))
		if err != nil {
			continue
		}
		c.put(netip.AddrPortFrom(addr, s.Port), id)
		if a, err := netip.ParseAddr(string(s.RTCPAddr)); err == nil {
			addr = a
		}
		if s.RTCPPort != 0 {
			c.put(netip.AddrPortFrom(addr, s.RTCPPort), id)
		}
	}
}

func (c *callIndex) put(addr netip.AddrPort, id []byte) {
	if c.now == nil || len(c.now) >= maxCalls {
		c.now, c.past = map[netip.AddrPort][]byte{}, c.now
	}
	c.now[addr] = id
}

// find returns the Call-ID that the first of the addresses with one belongs to,
// nil when none does.
func (c *callIndex) find(addrs ...netip.AddrPort) []byte {
	for _, a := range addrs {
		if id := c.now[a]; id != nil {
			return id
		}
		if id := c.past[a]; id != nil {
			return id
		}
	}
	return nil
}
