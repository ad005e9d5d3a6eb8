package digest

import (
	"cmp"
	"encoding/binary"
	"errors"
	"math"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/heplake/heplake/internal/calls"
)

// MaxEvents bounds the events of a leg that are looked at: a Call-ID with more is
// no call but a fault or an attack. It bounds its reports, too.
const MaxEvents = 20_000

// ErrMalformed is returned for bytes that no Builder made.
var ErrMalformed = errors.New("digest: malformed")

// Leg is a leg as its digests have it.
type Leg struct {
	calls.Leg
	// Opened says that a request that could have opened it was seen.
	Opened bool
}

// Decoder reads digests. It keeps memory between them; it is for one goroutine.
type Decoder struct {
	// Strings with few different values are made once.
	strings map[string]string
	reports []report
}

// maxInterned bounds the strings that a decoder keeps, and maxInternedLength
// their length.
const (
	maxInterned       = 20_000
	maxInternedLength = 64
)

func (d *Decoder) string(b []byte) string {
	if s, ok := d.strings[string(b)]; ok {
		return s
	}
	s := string(b)
	if len(b) <= maxInternedLength {
		if d.strings == nil || len(d.strings) >= maxInterned {
			d.strings = make(map[string]string, 256)
		}
		d.strings[s] = s
	}
	return s
}

// opening of the leg as far as it is known, and what makes it better than others.
type candidate struct {
	rank   int
	time   int64
	fields []byte
}

// better tells which of two openings is the leg's, whatever the order they come in.
func (c *candidate) better(rank int, time int64, fields []byte) bool {
	if c.fields == nil || rank != c.rank {
		return c.fields == nil || rank > c.rank
	}
	if time != c.time {
		return time < c.time
	}
	return string(fields) > string(c.fields)
}

// Decode reads the digests of a leg, one behind the other. The leg's quality is of
// the reports in them.
func (d *Decoder) Decode(tenant, callID string, b []byte) (*Leg, error) {
	l := &Leg{Leg: calls.Leg{Tenant: tenant, CallID: callID}}
	l.Events = make([]calls.Event, 0, 1+len(b)/eventSize)
	d.reports = d.reports[:0]
	base, causeAt := int64(-1), int64(0)
	var opening candidate
	var last recent
	for len(b) > 0 {
		kind, fixed, text, rest, ok := cutRecord(b)
		if !ok {
			return nil, ErrMalformed
		}
		b = rest
		switch kind {
		case recordBase:
			base = int64(le.Uint64(fixed))
		case recordEvent:
			if base < 0 {
				return nil, ErrMalformed
			}
			e := eventAt(fixed, base)
			last.add(&e)
			l.add(&e)
		case recordBrief:
			e, ok := last.brief(text)
			if !ok {
				return nil, ErrMalformed
			}
			last.add(&e)
			l.add(&e)
		case recordOpening:
			if rank, at := int(fixed[0]), int64(le.Uint64(fixed[1:])); opening.better(rank, at, text) {
				opening = candidate{rank, at, text}
			}
		case recordAddress:
			if l.Addresses == nil {
				l.Addresses = make(map[uint32]netip.AddrPort, 4)
			}
			l.Addresses[le.Uint32(fixed)] = netip.AddrPortFrom(addrOf(fixed[4:]), le.Uint16(fixed[20:]))
		case recordCorrelation:
			l.CorrelationIDs = d.add(l.CorrelationIDs, text)
		case recordLink:
			l.LinkIDs = d.add(l.LinkIDs, text)
		case recordAgent:
			l.UserAgents = d.add(l.UserAgents, text)
		case recordNode:
			l.Nodes = d.add(l.Nodes, text)
		case recordReason:
			d.reason(l, le.Uint16(fixed), text)
		case recordCause:
			// The last; of several at a time the greatest, whatever the order.
			at, cause := int64(le.Uint64(fixed)), le.Uint16(fixed[8:])
			if at > causeAt || at == causeAt && cause > l.Q850 {
				causeAt, l.Q850 = at, cause
			}
		case recordSDP:
			if l.SDPs == nil {
				l.SDPs = make(map[uint32]string, 2)
			}
			if h := le.Uint32(fixed); l.SDPs[h] < string(text) {
				l.SDPs[h] = string(text)
			}
		case recordReport:
			if len(d.reports) < MaxEvents {
				d.reports = append(d.reports, reportAt(fixed))
			}
		default:
			return nil, ErrMalformed
		}
	}
	if opening.fields != nil {
		l.Opened = isOpening(opening.rank)
		if !d.opening(&l.Opening, &opening) {
			return nil, ErrMalformed
		}
	}
	l.Events = distinct(l.Events)
	l.Messages = uint64(len(l.Events))
	if n := len(l.Events); n > 0 {
		l.First, l.Last = timeOf(l.Events[0].Time), timeOf(l.Events[n-1].Time)
	}
	l.describe()
	for _, list := range [][]string{l.CorrelationIDs, l.LinkIDs, l.UserAgents, l.Nodes} {
		slices.Sort(list)
	}
	l.Quality = sums(d.reports)
	return l, nil
}

// Ties gives the correlation ids and the values of link ids in a digest.
func Ties(b []byte, each func(value []byte)) {
	for len(b) > 0 {
		kind, _, text, rest, ok := cutRecord(b)
		if !ok {
			return
		}
		b = rest
		switch kind {
		case recordCorrelation:
			each(text)
		case recordLink:
			each(linkValue(text))
		}
	}
}

// add adds an event, of as many as are looked at.
func (l *Leg) add(e *event) {
	if len(l.Events) < MaxEvents {
		l.Events = append(l.Events, *e)
	}
}

func timeOf(us int64) time.Time { return time.UnixMicro(us).UTC() }

// fixedSize is the length of a record's part of fixed length after its first byte.
func fixedSize(kind byte) int {
	switch kind {
	case recordBase:
		return 8
	case recordEvent:
		return eventSize
	case recordOpening:
		return 9
	case recordAddress:
		return addressSize
	case recordReason:
		return 2
	case recordCause:
		return 10
	case recordSDP:
		return 4
	case recordReport:
		return reportSize
	}
	return 0
}

// cutRecord cuts the first record off a digest that is not empty: its kind, its part of
// fixed length, and the string that ends it, if it has one. Not ok: it is cut short.
func cutRecord(b []byte) (kind byte, fixed, text, rest []byte, ok bool) {
	kind, b = b[0], b[1:]
	size := fixedSize(kind)
	if len(b) < size {
		return kind, nil, nil, nil, false
	}
	fixed, b = b[:size], b[size:]
	if hasString(kind) {
		n, w := binary.Uvarint(b)
		if w <= 0 || n > uint64(len(b)-w) {
			return kind, nil, nil, nil, false
		}
		text, b = b[w:w+int(n)], b[w+int(n):]
	}
	return kind, fixed, text, b, true
}

// hasString says that a string ends the record.
func hasString(kind byte) bool {
	switch kind {
	case recordOpening, recordCorrelation, recordLink, recordAgent, recordNode, recordReason, recordSDP, recordBrief:
		return true
	}
	return false
}

func eventAt(b []byte, base int64) calls.Event {
	u := func(at int) uint32 { return le.Uint32(b[at:]) }
	return calls.Event{
		Time: base + int64(u(0)), Method: calls.Method(b[4]), Status: le.Uint16(b[5:]), CSeq: u(7), FromTag: u(11), ToTag: u(15), Branch: u(19),
		Src: u(23), Dst: u(27), Agent: u(31), SDP: u(35), Expires: u(39),
	}
}

// addrOf is the address of a column: what is mapped IPv4 there is IPv4 here, and
// the unspecified address is none.
func addrOf(b []byte) netip.Addr {
	a := netip.AddrFrom16([16]byte(b)).Unmap()
	if a == netip.IPv6Unspecified() {
		return netip.Addr{}
	}
	return a
}

// add adds a string to a short list, once.
func (d *Decoder) add(list []string, b []byte) []string {
	for _, s := range list {
		if s == string(b) {
			return list
		}
	}
	return append(list, d.string(b))
}

// reason keeps of several phrases of a status the same one whatever order they
// came in.
func (d *Decoder) reason(l *Leg, status uint16, phrase []byte) {
	if l.Reasons == nil {
		l.Reasons = make(map[uint16]string, 2)
	}
	if was, ok := l.Reasons[status]; !ok || string(phrase) > was {
		l.Reasons[status] = d.string(phrase)
	}
}

// opening reads the fields of the opening chosen.
func (d *Decoder) opening(o *calls.Opening, c *candidate) bool {
	b, ok := c.fields, true
	next := func() string {
		n, w := binary.Uvarint(b)
		if !ok || w <= 0 || n > uint64(len(b)-w) {
			ok = false
			return ""
		}
		s := b[w : w+int(n)]
		b = b[w+int(n):]
		return d.string(s)
	}
	o.Time = timeOf(c.time)
	o.Method, o.FromUser, o.FromDomain, o.ToUser, o.ToDomain = next(), next(), next(), next(), next()
	o.RuriUser, o.RuriDomain, o.PAIUser, o.Diversion = next(), next(), next(), next()
	o.ContactUser, o.ContactHost, o.Transport, o.UserAgent = next(), next(), next(), next()
	if !ok || len(b) != 2+2*(16+2) {
		return false
	}
	o.ContactPort = le.Uint16(b)
	o.Src = netip.AddrPortFrom(addrOf(b[2:18]), le.Uint16(b[18:]))
	o.Dst = netip.AddrPortFrom(addrOf(b[20:36]), le.Uint16(b[36:]))
	return true
}

// describe finds the last session description of either side, and the addresses
// that they announce.
func (l *Leg) describe() {
	if len(l.SDPs) == 0 {
		return
	}
	var asked, told int64 = -1, -1
	for i := range l.Events {
		e := &l.Events[i]
		s := l.SDPs[e.SDP]
		if e.SDP == 0 || s == "" {
			continue
		}
		if e.Status == 0 {
			if e.Time > asked || s > l.Offered {
				asked, l.Offered = e.Time, s
			}
		} else if e.Time > told || s > l.Answered {
			told, l.Answered = e.Time, s
		}
	}
	for _, s := range l.SDPs {
		for media := range strings.SplitSeq(s, ", ") {
			if words := strings.SplitN(media, " ", 3); len(words) > 1 {
				l.MediaAddresses = append(l.MediaAddresses, words[1])
			}
		}
	}
	slices.Sort(l.MediaAddresses)
	l.MediaAddresses = slices.Compact(l.MediaAddresses)
}

// distinct sorts events and leaves each once: a record may arrive twice.
func distinct(events []calls.Event) []calls.Event {
	slices.SortFunc(events, func(x, y calls.Event) int {
		if c := cmp.Compare(x.Time, y.Time); c != 0 {
			return c
		}
		return cmp.Or(cmp.Compare(x.Agent, y.Agent), cmp.Compare(x.Branch, y.Branch), cmp.Compare(x.Method, y.Method), cmp.Compare(x.Status, y.Status),
			cmp.Compare(x.CSeq, y.CSeq), cmp.Compare(x.FromTag, y.FromTag), cmp.Compare(x.ToTag, y.ToTag), cmp.Compare(x.Src, y.Src), cmp.Compare(x.Dst, y.Dst),
			cmp.Compare(x.SDP, y.SDP), cmp.Compare(x.Expires, y.Expires))
	})
	return slices.Compact(events)
}

// report is a quality report of a leg.
type report struct {
	time                   int64
	from                   netip.AddrPort
	ssrc, reporter         uint32
	mos, loss, jitter, rtt float64
	reception              bool
}

func reportAt(b []byte) report {
	f := func(at int) float64 { return float64(math.Float32frombits(le.Uint32(b[at:]))) }
	return report{
		time: int64(le.Uint64(b)), from: netip.AddrPortFrom(addrOf(b[8:24]), le.Uint16(b[24:])), ssrc: le.Uint32(b[26:]), reporter: le.Uint32(b[30:]),
		mos: f(34), loss: f(38), jitter: f(42), rtt: f(46), reception: b[50] == 1,
	}
}

// sums adds reports up by who sent them, each once.
func sums(list []report) []calls.Quality {
	slices.SortFunc(list, func(x, y report) int {
		return cmp.Or(x.from.Compare(y.from), cmp.Compare(x.time, y.time), cmp.Compare(x.ssrc, y.ssrc), cmp.Compare(x.reporter, y.reporter),
			cmp.Compare(x.mos, y.mos), cmp.Compare(x.loss, y.loss), cmp.Compare(x.jitter, y.jitter), cmp.Compare(x.rtt, y.rtt))
	})
	var out []calls.Quality
	for _, r := range slices.Compact(list) {
		if len(out) == 0 || out[len(out)-1].From != r.from {
			out = append(out, calls.Quality{From: r.from})
		}
		q := &out[len(out)-1]
		if r.mos > 0 {
			if q.MOSCount == 0 || r.mos < q.MOSMin {
				q.MOSMin = r.mos
			}
			q.MOSSum += r.mos
			q.MOSCount++
		}
		if r.reception {
			q.LossSum += r.loss
			q.JitterSum += r.jitter
			q.Receptions++
		}
		if r.rtt > 0 {
			q.RTTSum += r.rtt
			q.RTTCount++
		}
	}
	return out
}
