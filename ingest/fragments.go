package ingest

import (
	"net/netip"
	"time"

	"github.com/heplake/heplake/ingest/hep"
	"github.com/heplake/heplake/ingest/listen"
	"github.com/heplake/heplake/ingest/sip"
)

// SIP over TCP may reach us by segments: several messages in one HEP packet,
// one message over several. fragments keeps the beginning of a message until
// its rest comes, for a short while and within bounds; what stays incomplete
// is stored as it is.
type fragments struct {
	byConn map[connKey]*fragment
}

// connKey is one direction of a captured connection.
type connKey struct{ src, dst netip.AddrPort }

type fragment struct {
	key      connKey
	first    []byte // the HEP packet that began it, for its time and origin
	payload  []byte
	packets  int // received packets in payload that no row accounts for yet
	received time.Time
	from     netip.AddrPort
}

const (
	// fragmentAge is how long a message may take to become whole.
	fragmentAge = 2 * time.Second
	// maxFragments bounds the connections of a worker with a message begun,
	// maxFragment its bytes.
	maxFragments = 4096
	maxFragment  = 1 << 18
)

// overStream tells whether the packet was captured from a byte stream.
func overStream(p *hep.Packet) bool {
	const tcp, kamailioTLS = 6, 22
	return p.Protocol == tcp || p.Protocol == kamailioTLS
}

// sipPayload adds the row or rows of a payload of type SIP.
func (w *worker) sipPayload(r *record, in *listen.Packet) {
	p := &w.packet
	begins := w.scanner.Scan(&w.message, p.Payload)
	if !overStream(p) {
		if begins {
			w.addSIP(r, 1)
		} else {
			w.addEvent(r, "sip", notSIP(p.Payload), 0)
		}
		return
	}
	key := connKey{netip.AddrPortFrom(p.Src, p.SrcPort), netip.AddrPortFrom(p.Dst, p.DstPort)}
	if f := w.fragments.byConn[key]; f != nil {
		if begins && beginsAnew(&w.message) {
			// A new message: the rest of the one before was never captured.
			w.flushFragment(f)
			w.redecode(in.Data)
			begins = w.scanner.Scan(&w.message, w.packet.Payload)
		} else if len(p.Payload) > 0 {
			w.continueFragment(f, p.Payload)
			return
		}
	}
	if !begins {
		w.addEvent(r, "sip", notSIP(p.Payload), 0)
		return
	}
	w.addMessages(r, in, 1, key)
}

// beginsAnew tells the beginning of a message from bytes within one that look
// like it, such as a Via cut before "SIP/2.0/TCP" or the body of a NOTIFY about
// a transfer.
func beginsAnew(m *sip.Message) bool {
	return m.Errs&(sip.BadStartLine|sip.BadVersion|sip.BadStatus|sip.MissingCallID) == 0
}

// addMessages adds a row for each whole message at the start of the payload,
// which is that of the scanned message, and keeps what is left when it begins
// another. packets is what the first row accounts for.
func (w *worker) addMessages(r *record, in *listen.Packet, packets int, key connKey) {
	payload := w.packet.Payload
	for {
		n, whole := sip.MessageLength(payload)
		if !whole {
			if w.message.Errs&(sip.Truncated|sip.ShortBody) == 0 {
				n = len(payload)
			} else {
				w.keepFragment(r, in, payload, packets, key)
				return
			}
		}
		rest := skipBlank(payload[n:])
		if len(rest) == 0 || !sip.LooksLikeSIP(rest) {
			// Nothing that could be a message follows: what does belongs to this one.
			n, rest = len(payload), nil
		}
		w.packet.Payload = payload[:n]
		w.scanner.Scan(&w.message, w.packet.Payload)
		w.addSIP(r, packets)
		if packets = 0; len(rest) == 0 {
			return
		}
		payload = rest
		w.packet.Payload = payload
		w.scanner.Scan(&w.message, payload)
	}
}

// skipBlank drops the line ends with which peers keep a connection alive
// (RFC 5626 section 4.4.1), and NULs that pad.
func skipBlank(b []byte) []byte {
	for len(b) > 0 && (b[0] == '\r' || b[0] == '\n' || b[0] == 0) {
		b = b[1:]
	}
	return b
}

func (w *worker) keepFragment(r *record, in *listen.Packet, payload []byte, packets int, key connKey) {
	if len(payload) > maxFragment {
		w.addSIP(r, packets)
		return
	}
	if w.fragments.byConn == nil {
		w.fragments.byConn = make(map[connKey]*fragment)
	}
	if len(w.fragments.byConn) >= maxFragments {
		w.flushFragments(time.Now().Add(time.Hour))
		w.redecode(in.Data)
	}
	w.fragments.byConn[key] = &fragment{
		key: key, first: append([]byte(nil), in.Data...), payload: append([]byte(nil), payload...),
		packets: packets, received: r.received, from: in.From,
	}
}

// continueFragment adds the payload to what was begun, and the rows of what
// has become whole by it.
func (w *worker) continueFragment(f *fragment, payload []byte) {
	f.payload = append(f.payload, payload...)
	f.packets++
	if _, whole := sip.MessageLength(f.payload); !whole && len(f.payload) <= maxFragment {
		return
	}
	delete(w.fragments.byConn, f.key)
	in := listen.Packet{Data: f.first, From: f.from}
	w.redecode(f.first)
	w.packet.Payload = f.payload
	r := w.record(f.received, &in)
	w.scanner.Scan(&w.message, f.payload)
	w.addMessages(&r, &in, f.packets, f.key)
}

// flushFragment stores a message that stayed incomplete as it is.
func (w *worker) flushFragment(f *fragment) {
	delete(w.fragments.byConn, f.key)
	in := listen.Packet{Data: f.first, From: f.from}
	w.redecode(f.first)
	w.packet.Payload = f.payload
	r := w.record(f.received, &in)
	w.scanner.Scan(&w.message, f.payload)
	w.addSIP(&r, f.packets)
}

// flushFragments flushes those begun before t.
func (w *worker) flushFragments(t time.Time) {
	for _, f := range w.fragments.byConn {
		if f.received.Before(t) {
			w.flushFragment(f)
		}
	}
}

// redecode makes the worker's packet that of the message again, which decoded
// before.
func (w *worker) redecode(data []byte) { _ = w.decoder.Decode(&w.packet, data) }
