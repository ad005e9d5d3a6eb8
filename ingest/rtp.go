package ingest

import (
	"bytes"
	"fmt"
	"net/netip"
	"time"

	"github.com/heplake/heplake/ingest/hep"
	"github.com/heplake/heplake/ingest/media"
)

// Raw RTP (HEP type 4) is not stored: each stream is measured from its
// headers and reported every rtpReport and at its end, key presses as events.
const (
	rtpReport  = 10 * time.Second
	rtpIdle    = 30 * time.Second
	maxStreams = 16384 // of a worker; beyond it all are reported and begun anew
)

type rtpKey struct {
	conn connKey
	ssrc uint32
}

// rtpStream is one stream being measured.
type rtpStream struct {
	stats    media.StreamStats
	origin   hep.Packet // of the first packet, without its payload
	from     netip.AddrPort
	call     *mediaCall
	pt       uint8
	packets  int // received that no row accounts for yet
	received time.Time
	reported time.Time
	us       int64  // time of the last packet
	dtmf     uint32 // RTP timestamp of the key press last told
	dtmfSeen bool
}

// callOf is the call that a stream's addresses belong to by SDP, nil when none; the
// stream keeps it for as long as it lasts.
func (w *worker) callOf(dst, src netip.AddrPort) *mediaCall {
	c, found := w.p.mediaIndex.find(dst, src)
	if !found {
		return nil
	}
	return c.clone()
}

// rtpPacket takes a packet into its stream.
func (w *worker) rtpPacket(r *record) {
	p := &w.packet
	h, ok := media.RTPHeader(p.Payload)
	if !ok {
		// What it carries may be speech: only its head is kept.
		p.Payload = p.Payload[:min(len(p.Payload), 12)]
		w.addEvent(r, "media", "not_rtp", 0)
		return
	}
	src, dst := netip.AddrPortFrom(p.Src, p.SrcPort), netip.AddrPortFrom(p.Dst, p.DstPort)
	key := rtpKey{connKey{src, dst}, h.SSRC}
	s := w.streams[key]
	if s == nil {
		if w.streams == nil {
			w.streams = make(map[rtpKey]*rtpStream)
		}
		if len(w.streams) >= maxStreams {
			packet := *p
			w.reportStreams(r.received, true)
			*p = packet
		}
		s = &rtpStream{origin: *p, from: r.from, reported: r.received, call: w.callOf(dst, src), pt: h.PayloadType}
		s.origin.Payload, s.origin.AuthKey, s.origin.Extra = nil, nil, nil
		s.origin.NodeName, s.origin.CorrelationID = append([]byte(nil), p.NodeName...), append([]byte(nil), p.CorrelationID...)
		w.streams[key] = s
	}
	s.packets++
	s.received, s.us = r.received, r.us
	if s.call != nil && s.stats.ClockRate == 0 {
		s.stats.ClockRate = clock(s.call.codec(h.PayloadType))
	}
	if w.isDTMF(s, &h) {
		w.keyPress(r, s, &h)
	} else {
		s.pt = h.PayloadType
	}
	s.stats.Add(&h, r.us)
	if w.p.cfg.StoreRTP {
		w.addEventRow(r, hep.TypeName(hep.TypeRTP), p.Payload, "", "", 0, 0)
	}
}

// isDTMF tells telephone events (RFC 4733): by SDP, else by the payload type
// that everybody uses and the size they have.
func (w *worker) isDTMF(s *rtpStream, h *media.RTP) bool {
	const customary, size = 101, 4
	if s.call != nil {
		return bytes.EqualFold(s.call.codec(h.PayloadType), []byte("telephone-event"))
	}
	return h.PayloadType == customary && len(h.Payload) == size
}

// keyPress tells a key once, at the first of its packets that bears the end.
func (w *worker) keyPress(r *record, s *rtpStream, h *media.RTP) {
	e, ok := media.DTMF(h.Payload)
	if !ok || !e.End || s.dtmfSeen && s.dtmf == h.Timestamp || e.Digit() == 0 {
		return
	}
	s.dtmf, s.dtmfSeen = h.Timestamp, true
	const eventClock = 8 // RTP units a ms at 8 kHz, the clock of telephone events
	w.linkTo(s.call)
	w.addDTMF(r, e.Digit(), int(e.Duration)/eventClock, "rtp")
}

// addDTMF adds the event of a key press.
func (w *worker) addDTMF(r *record, digit byte, ms int, source string) {
	body := fmt.Appendf(nil, `{"digit":"%c","duration_ms":%d,"source":"%s"}`, digit, ms, source)
	w.addEventRow(r, "dtmf", body, "", "", 0, 0)
}

// reportStreams adds a row for each stream that is due, and forgets those that
// have ended; with all, every one.
func (w *worker) reportStreams(now time.Time, all bool) {
	for key, s := range w.streams {
		ended := all || now.Sub(s.received) >= rtpIdle
		if !ended && (s.packets == 0 || now.Sub(s.reported) < rtpReport) {
			continue
		}
		typ := media.TypePeriodic
		if ended {
			typ = media.TypeFinal
			delete(w.streams, key)
		}
		if s.call == nil {
			s.call = w.callOf(key.conn.dst, key.conn.src)
		}
		var codec []byte
		if s.call != nil {
			codec = s.call.codec(s.pt)
		}
		report := s.stats.Report(typ, codec, nil)
		w.packet = s.origin
		w.linkTo(s.call)
		r := record{received: s.received, us: s.us, from: s.from}
		w.addReports(&r, []media.Report{report}, nil, s.packets)
		s.packets, s.reported = 0, now
	}
}

// linkTo gives the packet the call that its addresses belong to, when its
// sender named none.
func (w *worker) linkTo(c *mediaCall) {
	if c != nil && len(w.packet.CorrelationID) == 0 {
		w.packet.CorrelationID = c.correlation
		w.linkedCall = c.callID
	}
}
