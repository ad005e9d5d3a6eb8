package ingest

import (
	"net/netip"
	"sync"
	"time"

	"github.com/heplake/heplake/ingest/admit"
	"github.com/heplake/heplake/ingest/batch"
	"github.com/heplake/heplake/ingest/hep"
	"github.com/heplake/heplake/ingest/listen"
	"github.com/heplake/heplake/ingest/media"
	"github.com/heplake/heplake/ingest/sip"
	"github.com/heplake/heplake/internal/digest"
)

// worker decodes packets and fills columns. It owns its decoders and its open
// batches; the lock is taken once for what a read brought, not for each packet,
// and is contended only by the clock that seals old batches and by TCP
// connections that share the worker.
type worker struct {
	p *Pipeline

	mu      sync.Mutex
	decoder hep.Decoder
	packet  hep.Packet
	scanner *sip.Scanner
	message sip.Message
	media   media.Decoder
	limit   admit.Limiter
	text    []byte // scratch
	packer  packer
	sdp     []byte // summary of the message's SDP
	tally   tally
	agents  agents

	fragments fragments
	streams   map[rtpKey]*rtpStream
	// linkedCall is the Call-ID that the media index gave the packet, empty when
	// none: it may differ from its correlation id.
	linkedCall []byte
	// sdpCall is the call that mediaCall found last.
	sdpCall mediaCall

	sipRows    openBatches[batch.SIP]
	mediaRows  openBatches[batch.Media]
	eventRows  openBatches[batch.Events]
	digestRows openBatches[batch.LegDigests]
	idRows     openBatches[batch.IDs]
	userRows   openBatches[batch.Users]
	// legs are those of which this worker makes rows, whoever receives what is said of them.
	legs gathering
	// digestsReceived is when the first was received of what digests, ids and users
	// are made of next, and was not handed over before.
	digestsReceived time.Time

	digestMessage digest.Message
	linker        *digest.Linker
}

// entrance is the worker's door for one transport: a listen.Sink.
type entrance struct {
	w         *worker
	transport string
}

// Packets decodes what a read brought. It blocks while the sealed batches of
// before find no room, which a stream's sender feels and a UDP socket's buffer
// takes up.
func (e entrance) Packets(received time.Time, packets []listen.Packet) {
	w := e.w
	w.p.ledger.receive(e.transport, len(packets))
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range packets {
		w.one(received, &packets[i])
	}
}

func (w *worker) one(received time.Time, in *listen.Packet) {
	if in.Fault != "" {
		w.undecodable(received, in, Loss{"frame", in.Fault}, 0)
		return
	}
	if err := w.decoder.Decode(&w.packet, in.Data); err != nil {
		loss, offset := Loss{"hep", "unknown"}, 0
		if e, ok := err.(*hep.Error); ok {
			loss.Reason, offset = e.Reason, e.Offset
		}
		w.undecodable(received, in, loss, offset)
		return
	}
	w.agents.at(w.packet.NodeName, w.packet.CaptureID, in.From.Addr()).seen(received, w.packet.Time)
	w.p.heplify.packet(&w.packet)
	r := w.record(received, in)
	w.linkedCall = nil
	switch w.packet.Type {
	case hep.TypeSIP:
		w.sipPayload(&r, in)
	case hep.TypeRTP:
		w.rtpPacket(&r)
	default:
		call := w.mediaCall()
		reports, handled, err := w.reports(call)
		switch {
		case !handled:
			w.addEvent(&r, "", "", 0)
		case err != nil:
			reason, offset := "unknown", 0
			if e, ok := err.(*media.Error); ok {
				reason, offset = e.Reason, e.Offset
			}
			// What was read before the fault is kept beside the event that tells of it.
			w.linkTo(call)
			w.addReports(&r, reports, nil, 0)
			w.addEvent(&r, "media", reason, offset)
		default:
			w.linkTo(call)
			w.addReports(&r, reports, w.packet.Payload, 1)
		}
	}
}

// notSIP says what a payload of type SIP is instead.
func notSIP(payload []byte) string {
	switch {
	case len(payload) == 0:
		return "empty"
	case len(skipBlank(payload)) == 0:
		return "keepalive" // RFC 5626 section 4.4.1
	case len(payload) > 6 && (string(payload[:4]) == "HEP3" || string(payload[:4]) == "EEP3"):
		return "nested_hep" // an agent that sniffs its own kind
	default:
		return "not_sip"
	}
}

// Undecodable packets that one sender may have stored: so many a second, so
// many at once. Beyond that they are counted only.
const (
	undecodableRate  = 10
	undecodableBurst = 1000
)

// undecodable keeps a packet that is no HEP in events, so that an operator can
// see what came; beyond the sender's allowance it is dropped and counted.
func (w *worker) undecodable(received time.Time, in *listen.Packet, loss Loss, offset int) {
	w.agents.at(nil, 0, in.From.Addr()).bad(received)
	if !w.limit.Allow(in.From.Addr(), received) {
		w.p.ledger.drop(loss, 1)
		return
	}
	w.p.ledger.keep(loss)
	w.packet.Reset()
	w.packet.Payload = in.Data
	w.packet.Src, w.packet.SrcPort = in.From.Addr(), in.From.Port()
	r := record{received: received, us: received.UnixMicro(), from: in.From}
	w.addEvent(&r, loss.Stage, loss.Reason, offset)
}

// mediaCall is the call that the packet's addresses belong to, by SDP, when its
// sender names none. It holds until the next is asked for.
func (w *worker) mediaCall() *mediaCall {
	p := &w.packet
	if len(p.CorrelationID) > 0 {
		return nil
	}
	c, found := w.p.mediaIndex.find(netip.AddrPortFrom(p.Src, p.SrcPort), netip.AddrPortFrom(p.Dst, p.DstPort))
	if !found {
		return nil
	}
	w.sdpCall = c
	return &w.sdpCall
}

// flush reports the streams that are due by now, and gives up waiting for the
// rest of messages. At a stop nothing is kept back.
func (w *worker) flush(now time.Time, stopping bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.flushFragments(now.Add(-fragmentAge))
	w.reportStreams(now, stopping)
}

// open returns the columns of the table's open batch for the record's day.
func open[R any](w *worker, o *openBatches[R], us int64) *batch.Batch[R] {
	b, evicted := o.at(us)
	sealAll(w.p, o.pool, evicted)
	return b
}

// sizeCheck is how many rows go by between two looks at a batch's size.
const sizeCheck = 256

// commit ends a row and seals the batch when it is full.
func commit[R any](w *worker, o *openBatches[R], b *batch.Batch[R], packets int, received time.Time) {
	b.Commit(packets, received)
	if b.Rows() >= w.p.cfg.BatchRows || b.Rows()%sizeCheck == 0 && b.Size() >= w.p.cfg.BatchBytes {
		o.take(b)
		sealAll(w.p, o.pool, []*batch.Batch[R]{b})
	}
}

func sealAll[R any](p *Pipeline, pool *pool[R], batches []*batch.Batch[R]) {
	for _, b := range batches {
		p.seal <- sealing[R]{b, pool, p.commits.issue(b.Opened()), take(p.sealRoom, p.sealBytes(), b.Size())}
	}
}

// record is what a packet's rows have in common.
type record struct {
	received time.Time
	us       int64 // time of the record, µs since the epoch
	from     netip.AddrPort
	absurd   bool // the sender's time was not believed
}

// record judges the packet's time: it is the sender's unless there is none, it
// lies ahead of this clock, or retention would delete the row at once.
func (w *worker) record(received time.Time, in *listen.Packet) record {
	r := record{received: received, us: w.packet.Time, from: in.From}
	now := received.UnixMicro()
	switch {
	case r.us == 0:
		r.us = now
	case r.us > now+w.p.cfg.TimeAhead.Microseconds() || r.us < now-w.p.cfg.TimeBehind.Microseconds():
		r.us, r.absurd = now, true
		w.tally.absurd++
	}
	return r
}
