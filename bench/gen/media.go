package gen

import "strconv"

// ntpEpoch is the Unix epoch in NTP seconds (RFC 5905 section 6).
const ntpEpoch = 2_208_988_800

// media fills the fields of session descriptions and reports.
func (v *view) media(b []byte, f field) []byte {
	number := func(n uint64) []byte { return strconv.AppendUint(b, n, 10) }
	side := uint64(0) // of the party that sends the stream or the description
	if v.s.kind == rtcpCallee {
		side = 1
	}
	// A stream of 20 ms packets, reported every five seconds.
	sent := 250*(1+uint64(v.s.seq)) + v.id>>16%32
	// One call in eight is of poor quality.
	poor := v.id>>20&7 == 0
	switch f {
	case fieldSDPA:
		return v.describe(b, v.a, 0)
	case fieldSDPB:
		return v.describe(b, v.b, 1)
	case fieldHost:
		return append(b, v.mediaParty.host...)
	case fieldMediaPort:
		return number(uint64(v.mediaPort(v.salt)))
	case fieldSession:
		return number(1_000_000_000 + scramble(v.id+v.salt)>>34)
	case fieldNTPSec:
		return number(uint64(v.us/1e6) + ntpEpoch)
	case fieldNTPFraction: // sent under the name of microseconds, as rtpengine does
		return number(uint64(v.us%1e6) << 32 / 1e6)
	case fieldPackets:
		return number(sent)
	case fieldOctets:
		return number(160 * sent)
	case fieldRTPTime:
		return number(v.ssrc(side)>>1&0xffffff + 160*sent)
	case fieldSSRC:
		return number(v.ssrc(side))
	case fieldSSRCFar:
		return number(v.ssrc(1 - side))
	case fieldSeqNo:
		return number(v.ssrc(1-side)&0x7fff + sent)
	case fieldFraction:
		if poor {
			return number(5 + v.id>>24&15)
		}
		return number(0)
	case fieldLost:
		if poor {
			return number(sent / 40)
		}
		return number(0)
	case fieldJitter:
		if poor {
			return number(160 + v.id>>24&255)
		}
		return number(8 + v.id>>24&31)
	case fieldLSR:
		// The middle 32 bits of the NTP time of a report a second ago, to which the
		// answer took that second (dlsr) and the network 15 ms.
		ago := uint64(v.us) - 1_015_000
		return number((ago/1e6+ntpEpoch)&0xffff<<16 | ago%1e6<<16/1e6)
	}
	panic("generator: a field that nothing fills")
}

// describe appends the session description of a party.
func (v *view) describe(b []byte, of *party, salt uint64) []byte {
	v.mediaParty, v.salt, v.bodyAt = of, salt, len(b)
	return v.fill(b, descriptions[v.d.id>>8%uint64(len(descriptions))])
}

// mediaPort is the RTP port of a side: even, RTCP is the next.
func (v *view) mediaPort(side uint64) uint16 {
	return uint16(16384 + 2*(scramble(v.id+0x100+side)%20_000))
}

func (v *view) ssrc(side uint64) uint64 { return scramble(v.id+0x200+side) >> 32 }
