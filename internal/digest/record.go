package digest

import (
	"encoding/binary"
	"unsafe"

	"github.com/cespare/xxhash/v2"
	"github.com/go-faster/city"

	"github.com/heplake/heplake/internal/calls"
)

// Records begin with a byte that says what they are. The numbers and layouts are
// stored: they never change. A reader skips nothing that it does not know, so new
// kinds are new numbers, and readers are updated before writers.
const (
	// recordBase: the time from which events count, int64 µs since the epoch.
	recordBase = 1
	// recordEvent: see eventSize.
	recordEvent = 2
	// recordOpening: rank byte, time int64, length and that many bytes of fields.
	recordOpening = 3
	// recordAddress: hash uint32, 16 bytes of IPv6, port uint16.
	recordAddress = 4
	// recordCorrelation, recordLink, recordAgent, recordNode: a string.
	recordCorrelation = 5
	recordLink        = 6
	recordAgent       = 7
	recordNode        = 8
	// recordReason: status uint16, string.
	recordReason = 9
	// recordCause: time int64, Q.850 cause uint16.
	recordCause = 10
	// recordSDP: hash uint32, string.
	recordSDP = 11
	// recordReport: see reportSize.
	recordReport = 12
	// recordBrief: length and that many bytes of what an event says otherwise than one
	// of the two before it, in this order: mask uint16 of brief..., time after the
	// other's in µs as a varint, then what the mask says.
	recordBrief = 13
)

// eventSize is the length of an event after its first byte: time in µs after the
// base uint32, method uint8, status uint16, then uint32 each: CSeq, hashes of From
// tag, To tag, branch, sender, receiver, agent, SDP, and expiry.
const eventSize = 4 + 1 + 2 + 9*4

// reportSize is the length of a report after its first byte: time int64, IPv6 of
// who sent it, port uint16, SSRC uint32, reporter's SSRC uint32, then float32
// each: MOS, share lost, jitter and round trip in ms; and whether it says
// anything of reception.
const reportSize = 8 + 16 + 2 + 4 + 4 + 4*4 + 1

// addressSize is the length of an address after its first byte.
const addressSize = 4 + 16 + 2

// Ranks of openings: of several the greatest is the leg's, and of equals the
// first by time. They are bits, but for rankAnswer.
const (
	// rankOpens: it could have opened the leg. It is a request.
	rankOpens = 4
	// rankFirstHop: its bottom-most Via names the packet's sender.
	rankFirstHop = 2
	// rankRequest: it is a request.
	rankRequest = 1
	// rankAnswer: a response to INVITE, which says who called whom where the INVITE
	// itself was missed. A request within the dialog, a BYE or a re-INVITE, may be
	// either side's, and its Request-URI is nobody's number.
	rankAnswer = 4
)

// isOpening tells whether an opening of that rank is one.
func isOpening(rank int) bool { return rank >= rankOpens|rankRequest }

var le = binary.LittleEndian

// hashOf is the hash that stands for a string in events: 0 for none, and for
// nothing else.
func hashOf(b []byte) uint32 {
	if len(b) == 0 {
		return 0
	}
	return max(1, uint32(xxhash.Sum64(b)))
}

// hostHash stands for an address and port.
func hostHash(ip *[16]byte, port uint16) uint32 {
	low, high := le.Uint64(ip[:8]), le.Uint64(ip[8:])
	h := (low*0x9e3779b97f4a7c15 ^ high) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>31 ^ uint64(port)) * 0x94d049bb133111eb
	return max(1, uint32(h>>32))
}

// methodOf is the number of a method. ok is false for methods whose messages make
// neither calls nor registrations.
func methodOf(b []byte) (m calls.Method, ok bool) {
	switch string(b) {
	case "INVITE":
		return calls.Invite, true
	case "ACK":
		return calls.Ack, true
	case "BYE":
		return calls.Bye, true
	case "CANCEL":
		return calls.Cancel, true
	case "PRACK":
		return calls.Prack, true
	case "UPDATE":
		return calls.Update, true
	case "REFER":
		return calls.Refer, true
	case "INFO":
		return calls.Info, true
	case "NOTIFY":
		return calls.Notify, true
	case "REGISTER":
		return calls.Register, true
	}
	return calls.Other, false
}

func appendString(b []byte, s []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// Text is a string as the bytes that a Message wants, which nobody writes to.
func Text(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

// IsReception tells whether loss and jitter of a report mean something: it is
// schema.IsReception, by the same columns of table media.
func IsReception(source, report string, ssrc, reporter uint32) bool {
	return source != "rtcp" && source != "hep-qos" || ssrc != reporter && report != "feedback"
}

// IDHash is the hash of an id in table ids: ClickHouse's cityHash64.
func IDHash(id []byte) uint64 { return city.CH64(id) }
