package ingest

import (
	"time"

	"github.com/heplake/heplake/ingest/batch"
	"github.com/heplake/heplake/ingest/media"
	"github.com/heplake/heplake/ingest/sip"
	"github.com/heplake/heplake/internal/digest"
)

// digestMessageOf adds the scanned message to the digest of its leg.
func (w *worker) digestMessageOf(r *record, m *sip.Message, correlation []byte) {
	if w.p.cfg.NoDigests {
		return
	}
	p, l := &w.packet, w.linker
	l.Reset()
	for i := range m.Custom {
		l.Add(m.Custom[i].Name, m.Custom[i].Value)
	}
	if len(m.SessionID)+len(m.SessionIDRemote)+len(m.ICID)+len(m.Replaces) > 0 {
		l.Add(headerSessionID, m.SessionID)
		l.Add(headerSessionID+".remote", m.SessionIDRemote)
		l.Add(headerChargingVector+".icid-value", m.ICID)
		l.Add("Replaces", m.Replaces)
	}
	d := &w.digestMessage
	d.Time, d.Node, d.CaptureID, d.CorrelationID, d.CallID = r.us, p.NodeName, p.CaptureID, correlation, m.CallID
	d.Src, d.Dst, d.SrcPort, d.DstPort, d.Transport = as16(p.Src), as16(p.Dst), p.SrcPort, p.DstPort, digest.Text(w.transportOf(p, m))
	d.Method, d.Status, d.Reason, d.CSeq, d.CSeqMethod = m.Method, m.Status, m.Reason, m.CSeq, m.CSeqMethod
	d.FromUser, d.FromDomain, d.FromTag = m.From.User, m.From.Host, m.FromTag
	d.ToUser, d.ToDomain, d.ToTag = m.To.User, m.To.Host, m.ToTag
	d.RURIUser, d.RURIDomain = m.RURI.User, m.RURI.Host
	d.UserAgent, d.Server = m.UserAgent, m.Server
	d.ContactUser, d.ContactHost, d.ContactPort = m.Contact.User, m.Contact.Host, m.Contact.Port
	d.PAIUser, d.Diversion = m.PAI.User, m.Diversion.User
	d.ViaBranch, d.ViaHost = m.Via.Branch, m.ViaLast.Host
	d.Expires, d.Q850, d.SDP, d.Links = expires(m), q850(m), w.sdp, l.Links()
	w.digestsOpened(r.received)
	w.digests.Message(d)
}

// digestReport adds the report to the digest of the leg that it names, by Call-ID
// or else by correlation id. RTCP feedback has no figures of quality, and video
// sends a lot of it.
func (w *worker) digestReport(r *record, q *media.Report, correlation, call []byte) {
	if q.Type == "feedback" || w.p.cfg.NoDigests {
		return
	}
	id := call
	if len(id) == 0 {
		id = correlation
	}
	p := &w.packet
	w.digestsOpened(r.received)
	w.digests.Report(id, &digest.Report{
		Time: r.us, Src: as16(p.Src), SrcPort: p.SrcPort, SSRC: q.SSRC, Reporter: q.Reporter,
		MOS: q.MOS, Loss: q.FractionLost, JitterMs: q.JitterMs, RTTMs: q.RTTMs,
		Reception: digest.IsReception(q.Source.String(), q.Type, q.SSRC, q.Reporter),
	})
}

func (w *worker) digestsOpened(received time.Time) {
	if w.digests.Opened.IsZero() {
		w.digests.Opened = received
	}
}

// digestBytes is the size at which digests are not gathered any longer.
const digestBytes = 4 << 20

// sealDigests seals digests that are old or large; all of them when everything is.
func (p *Pipeline) sealDigests(t time.Time) {
	for _, w := range p.workers {
		w.mu.Lock()
		if w.digests.Len() > 0 && (w.digests.Opened.Before(t) || w.digests.Size() > digestBytes) {
			w.flushDigests()
		}
		w.mu.Unlock()
	}
	sealOld(p, p.digests, func(w *worker) *openBatches[batch.LegDigests] { return &w.digestRows }, t)
	sealOld(p, p.ids, func(w *worker) *openBatches[batch.IDs] { return &w.idRows }, t)
}

// flushDigests makes rows of what was gathered.
func (w *worker) flushDigests() {
	for i := range w.digests.Len() {
		w.digests.IDs(i, w.addID)
		row := w.digests.Row(i)
		if row.Kinds == 0 {
			continue
		}
		b := open(w, &w.digestRows, int64(row.Slot)*1_000_000)
		b.Cols.Slot.Append(row.Slot)
		b.Cols.Tenant.AppendString(w.p.cfg.Tenant)
		b.Cols.CallID.Append(row.CallID)
		b.Cols.Kinds.Append(uint8(row.Kinds))
		b.Cols.Digest.Append(row.Digest)
		commit(w, &w.digestRows, b, 0, w.digests.Opened)
	}
	w.digests.Reset()
}

// addID adds a row that says where the messages of an id are.
func (w *worker) addID(id digest.ID) {
	if len(id.Key) == 0 {
		return
	}
	b := open(w, &w.idRows, int64(id.Slot)*1_000_000)
	b.Cols.ID.Append(digest.IDHash(id.Key))
	b.Cols.Tenant.AppendString(w.p.cfg.Tenant)
	b.Cols.Hour.Append(id.Slot - id.Slot%3600)
	b.Cols.CallID.Append(unlessSame(id.CallID, id.Key))
	b.Cols.CorrelationID.Append(unlessSame(id.CorrelationID, id.Key))
	commit(w, &w.idRows, b, 0, w.digests.Opened)
}

// unlessSame is nothing where a name is the id itself: table ids has it so.
func unlessSame(name, id []byte) []byte {
	if string(name) == string(id) {
		return nil
	}
	return name
}
