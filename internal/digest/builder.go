package digest

import (
	"encoding/binary"
	"hash/maphash"
	"math"
	"net/netip"
	"time"

	"github.com/heplake/heplake/internal/calls"
)

// SlotSeconds is the time that a digest covers: a leg's messages of different
// slots are in different rows, so that a row's place in the table never moves.
const SlotSeconds = 600

const slotMicros = SlotSeconds * 1_000_000

// Message is what a digest wants of a SIP message. Slices are read during the
// call that they are given to alone. Fields are those of table sip.
type Message struct {
	Time                     int64 // µs since the epoch
	Node                     []byte
	CaptureID                uint32
	CorrelationID, CallID    []byte
	Src, Dst                 [16]byte
	SrcPort, DstPort         uint16
	Transport                []byte
	Method                   []byte // of a request
	Status                   uint16
	Reason                   []byte
	CSeq                     uint32
	CSeqMethod               []byte
	FromUser, FromDomain     []byte
	ToUser, ToDomain         []byte
	FromTag, ToTag           []byte
	RURIUser, RURIDomain     []byte
	UserAgent, Server        []byte
	ContactUser, ContactHost []byte
	ContactPort              uint16
	PAIUser, Diversion       []byte
	ViaBranch, ViaHost       []byte
	Expires                  uint32
	Q850                     uint16
	// SDP is the one-line summary.
	SDP []byte
	// Links are what else names the call, each as "header:value".
	Links [][]byte
}

// Report is what a digest wants of a quality report.
type Report struct {
	Time           int64 // µs since the epoch
	Src            [16]byte
	SrcPort        uint16
	SSRC, Reporter uint32
	// Loss is a share, 0 to 1.
	MOS, Loss, JitterMs, RTTMs float32
	// Reception says that loss and jitter mean something.
	Reception bool
}

// Kinds says what is in a digest, so that its reader need not look.
type Kinds uint8

// What may be in a digest.
const (
	// OfCall: a message of INVITE or BYE.
	OfCall Kinds = 1 << iota
	// OfRegistration: a message of REGISTER.
	OfRegistration
	// Reports: quality reports.
	Reports
	// Decisive: a message after which a call's fate may be another: a final
	// response to INVITE, a BYE or CANCEL, or a response to these.
	Decisive
	// Opens: a request that could have opened the leg.
	Opens
	// Linked: ids that tie it to other legs.
	Linked
	// Over: a message after which a call goes on no more: a failure of INVITE that
	// is no challenge, a BYE, or a response to it.
	Over
	// Further: messages of other methods, which go on in a dialog: ACK, PRACK, INFO.
	Further
)

// Row is a digest of a leg in a slot. Its slices are the builder's: they hold
// until the builder is used again.
type Row struct {
	// Slot is when the slot begins, in s since the epoch.
	Slot   uint32
	CallID []byte
	Kinds  Kinds
	Digest []byte
}

// ID is an id that names a leg: its Call-ID, a correlation id, or the value of a
// header that ties it to others. Slices as in Row.
type ID struct {
	// Slot as in Row.
	Slot uint32
	// Key is the id, CallID that of the leg, CorrelationID what messages had that
	// have the id: they lie under it in table sip.
	Key, CallID, CorrelationID []byte
}

// leg gathers what belongs in a row, and who its messages name.
type leg struct {
	slot   uint32
	kinds  Kinds
	base   int64
	callID []byte
	data   []byte
	recent recent
	// rank and openedAt are of the best opening written, -1 for none.
	rank     int
	openedAt int64
	// noted are hashes of what was written and need not be again.
	noted []uint64
	hash  uint64
	// named are hashes of the users that its messages named last.
	named [namedKept]uint64
	// fresh says that it is in the builder's list of what came since Hand. handed is
	// the length of data that was given out; kinds since then are in news.
	fresh  bool
	handed int
	news   Kinds
}

// noteCorrelation notes a correlation id, also where it is the Call-ID.
const noteCorrelation = 255

// Builder gathers messages and reports by leg. It is for one goroutine; when warm
// it allocates nothing.
type Builder struct {
	// legs are in no order, and between them is memory of some that went: free are the
	// places of these, order those of the others, the oldest first, from gone on.
	legs        []leg
	order, free []int32
	gone        int
	slots       []int32 // place of a leg plus one; 0 is free; a power of two long
	bytes       int
	fresh       []int32 // places of legs to which something came since Tell
	// Opened is when the first was received that is in it, by the caller's word.
	Opened time.Time
	// untold are the ids that name legs, and who their messages name, since Tell: place
	// of the leg, what it is, and strings.
	untold []byte
	text   []byte // scratch
}

var seed = maphash.MakeSeed()

// Len is the number of rows.
func (b *Builder) Len() int { return len(b.order) - b.gone }

// Size is the length of the rows in bytes.
func (b *Builder) Size() int { return b.bytes }

// Untold is the length in bytes of what Tell has to tell.
func (b *Builder) Untold() int { return len(b.untold) }

// appendBase appends the record that times of what follows count from.
func appendBase(b []byte, base int64) []byte {
	return le.AppendUint64(append(b, recordBase), uint64(base))
}

// baseSize is the length of that record.
const baseSize = 9

// Message adds a message to its leg. Those of other methods, and those without a
// Call-ID, belong to none; of them it keeps the ids and who they name.
func (b *Builder) Message(m *Message) {
	if m.Time <= 0 {
		return
	}
	if len(m.CallID) == 0 {
		if len(m.CorrelationID) > 0 {
			b.users(b.at(m.Time, m.CorrelationID), m)
		}
		return
	}
	place := b.at(m.Time, m.CallID)
	l := &b.legs[place]
	b.users(place, m)
	linked := len(m.CorrelationID) > 0 && string(m.CorrelationID) != string(m.CallID)
	if l.first(noteCorrelation, hashOf(m.CorrelationID)) {
		b.key(place, m.CorrelationID, m.CallID)
		if linked {
			b.key(place, m.CorrelationID, m.CorrelationID)
		}
	}
	method, ok := methodOf(m.CSeqMethod)
	if !ok {
		return
	}
	if len(m.Method) > 0 {
		if method, ok = methodOf(m.Method); !ok {
			method = calls.Other
		}
	}
	was := len(l.data)
	var kinds Kinds
	final := m.Status >= 200 && (method == calls.Invite || method == calls.Register)
	opens := m.Status == 0 && len(m.ToTag) == 0 && len(m.Method) > 0 && method != calls.Ack && method != calls.Bye && method != calls.Cancel && method != calls.Prack
	switch method {
	case calls.Invite:
		kinds |= OfCall
		if final {
			kinds |= Decisive
			if m.Status >= 300 && m.Status != 401 && m.Status != 407 {
				kinds |= Over
			}
		}
	case calls.Bye:
		kinds |= OfCall | Decisive | Over
	case calls.Cancel:
		kinds |= OfCall | Decisive
	case calls.Register:
		kinds |= OfRegistration
	default:
		kinds |= Further
	}
	sdp := hashOf(m.SDP)
	src, dst := hostHash(&m.Src, m.SrcPort), hostHash(&m.Dst, m.DstPort)
	l.data = l.recent.appendEvent(l.data, &event{
		Time: m.Time, Method: method, Status: m.Status, CSeq: m.CSeq, FromTag: hashOf(m.FromTag), ToTag: hashOf(m.ToTag), Branch: hashOf(m.ViaBranch),
		Src: src, Dst: dst, Agent: hashOf(m.Node) + m.CaptureID, SDP: sdp, Expires: m.Expires,
	}, l.base)

	answer := m.Status > 0 && method == calls.Invite
	if opens {
		kinds |= Opens
	}
	if opens || answer {
		l.address(src, &m.Src, m.SrcPort)
		l.address(dst, &m.Dst, m.DstPort)
	}
	if opens || answer || final || method == calls.Bye && m.Status == 0 || m.Q850 > 0 || sdp != 0 || linked {
		b.opening(l, m, opens)
	}
	if linked {
		kinds |= Linked
		l.text(recordCorrelation, m.CorrelationID)
	}
	for _, link := range m.Links {
		kinds |= Linked
		if l.text(recordLink, link) {
			b.key(place, m.CorrelationID, linkValue(link))
		}
	}
	if final && l.first(recordReason, uint32(m.Status)^hashOf(m.Reason)) {
		l.data = le.AppendUint16(append(l.data, recordReason), m.Status)
		l.data = appendString(l.data, m.Reason)
	}
	if m.Q850 > 0 {
		l.data = le.AppendUint64(append(l.data, recordCause), uint64(m.Time))
		l.data = le.AppendUint16(l.data, m.Q850)
	}
	if sdp != 0 && l.first(recordSDP, sdp) {
		l.data = le.AppendUint32(append(l.data, recordSDP), sdp)
		l.data = appendString(l.data, m.SDP)
	}
	if len(m.UserAgent) > 0 {
		l.text(recordAgent, m.UserAgent)
	}
	if len(m.Server) > 0 {
		l.text(recordAgent, m.Server)
	}
	l.node(m)
	l.kinds, l.news = l.kinds|kinds, l.news|kinds
	b.bytes += len(l.data) - was
}

// linkValue is the value of "header:value".
func linkValue(link []byte) []byte {
	for i, c := range link {
		if c == ':' {
			return link[i+1:]
		}
	}
	return link
}

// first notes something by its hash, and reports whether it is new to the row.
func (l *leg) first(kind byte, hash uint32) bool {
	h := uint64(kind)<<32 | uint64(hash)
	for _, n := range l.noted {
		if n == h {
			return false
		}
	}
	if l.noted == nil {
		l.noted = make([]uint64, 0, firstNoted)
	}
	l.noted = append(l.noted, h)
	return true
}

// text writes a string once, and reports whether it did.
func (l *leg) text(kind byte, s []byte) bool {
	if !l.first(kind, hashOf(s)) {
		return false
	}
	l.data = appendString(append(l.data, kind), s)
	return true
}

func (l *leg) address(h uint32, ip *[16]byte, port uint16) {
	if l.first(recordAddress, h) {
		l.data = le.AppendUint32(append(l.data, recordAddress), h)
		l.data = append(l.data, ip[:]...)
		l.data = le.AppendUint16(l.data, port)
	}
}

// node writes the agent's name; its id where it has none.
func (l *leg) node(m *Message) {
	switch {
	case len(m.Node) > 0:
		l.text(recordNode, m.Node)
	case m.CaptureID != 0:
		if l.first(recordNode, m.CaptureID) {
			var digits [10]byte
			i := len(digits)
			for n := m.CaptureID; n > 0; n /= 10 {
				i--
				digits[i] = byte('0' + n%10)
			}
			l.data = appendString(append(l.data, recordNode), digits[i:])
		}
	}
}

// opening writes what the message says of the leg's opening, if it says it better
// than those before it.
func (b *Builder) opening(l *leg, m *Message, opens bool) {
	rank := 0
	if opens {
		rank |= rankOpens
	}
	if m.Status == 0 {
		rank |= rankRequest
	}
	answer := m.Status > 0 && string(m.CSeqMethod) == "INVITE"
	if answer {
		rank = rankAnswer
	}
	if rank|rankFirstHop < l.rank || rank|rankFirstHop == l.rank && m.Time >= l.openedAt {
		return // whatever its hop
	}
	src := netip.AddrFrom16(m.Src).Unmap()
	b.text = src.AppendTo(b.text[:0])
	if !answer && string(b.text) == string(m.ViaHost) {
		rank |= rankFirstHop
	}
	if rank < l.rank || rank == l.rank && m.Time >= l.openedAt {
		return
	}
	l.rank, l.openedAt = rank, m.Time
	if answer {
		// From and To are the INVITE's, and it went the other way; the rest is what
		// the callee says of itself.
		a := *m
		a.Src, a.Dst, a.SrcPort, a.DstPort = m.Dst, m.Src, m.DstPort, m.SrcPort
		a.PAIUser, a.Diversion, a.ContactUser, a.ContactHost, a.ContactPort, a.UserAgent = nil, nil, nil, nil, 0, nil
		m = &a
	}
	t := b.text[:0]
	for _, s := range [...][]byte{m.Method, m.FromUser, m.FromDomain, m.ToUser, m.ToDomain, m.RURIUser, m.RURIDomain, m.PAIUser, m.Diversion, m.ContactUser, m.ContactHost, m.Transport, m.UserAgent} {
		t = appendString(t, s)
	}
	t = le.AppendUint16(t, m.ContactPort)
	t = append(t, m.Src[:]...)
	t = le.AppendUint16(t, m.SrcPort)
	t = append(t, m.Dst[:]...)
	t = le.AppendUint16(t, m.DstPort)
	b.text = t
	l.data = append(l.data, recordOpening, byte(rank))
	l.data = le.AppendUint64(l.data, uint64(m.Time))
	l.data = appendString(l.data, t)
}

// Report adds a quality report to the leg of the id, its Call-ID or correlation id.
func (b *Builder) Report(id []byte, r *Report) {
	if len(id) == 0 || r.Time <= 0 {
		return
	}
	l := &b.legs[b.at(r.Time, id)]
	l.kinds, l.news = l.kinds|Reports, l.news|Reports
	was := len(l.data)
	l.data = le.AppendUint64(append(l.data, recordReport), uint64(r.Time))
	l.data = append(l.data, r.Src[:]...)
	l.data = le.AppendUint16(l.data, r.SrcPort)
	l.data = le.AppendUint32(l.data, r.SSRC)
	l.data = le.AppendUint32(l.data, r.Reporter)
	for _, f := range [...]float32{r.MOS, r.Loss, r.JitterMs, r.RTTMs} {
		l.data = le.AppendUint32(l.data, math.Float32bits(f))
	}
	reception := byte(0)
	if r.Reception {
		reception = 1
	}
	l.data = append(l.data, reception)
	b.bytes += len(l.data) - was
}

// Row is the i-th row, beginning with the oldest leg. A row of no kind has no digest
// worth keeping, only ids.
func (b *Builder) Row(i int) Row {
	l := b.leg(i)
	return Row{Slot: l.slot, CallID: l.callID, Kinds: l.kinds, Digest: l.data}
}

func cutString(b []byte) (s, rest []byte) {
	n, w := binary.Uvarint(b)
	return b[w : w+int(n)], b[w+int(n):]
}
