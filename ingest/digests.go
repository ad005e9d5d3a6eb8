package ingest

import (
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
	id := d.CallID
	if len(id) == 0 {
		id = correlation
	}
	g := w.p.gatheringOf(id)
	g.mu.Lock()
	g.builder(r, w.p.cfg.HoldSkew).Message(d)
	g.mu.Unlock()
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
	p, g := &w.packet, w.p.gatheringOf(id)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.builder(r, w.p.cfg.HoldSkew).Report(id, &digest.Report{
		Time: r.us, Src: as16(p.Src), SrcPort: p.SrcPort, SSRC: q.SSRC, Reporter: q.Reporter,
		MOS: q.MOS, Loss: q.FractionLost, JitterMs: q.JitterMs, RTTMs: q.RTTMs,
		Reception: digest.IsReception(q.Source.String(), q.Type, q.SSRC, q.Reporter),
	})
}

// addID adds a row that says where the messages of an id are, unless it did a
// while ago.
func (w *worker) addID(id digest.ID) {
	if len(id.Key) == 0 {
		return
	}
	hash := digest.IDHash(id.Key)
	if w.p.told.has(hash, id) {
		return
	}
	b := open(w, &w.idRows, int64(id.Slot)*1_000_000)
	b.Cols.ID.Append(hash)
	b.Cols.Tenant.AppendString(w.p.cfg.Tenant)
	b.Cols.Hour.Append(id.Slot - id.Slot%3600)
	b.Cols.CallID.Append(unlessSame(id.CallID, id.Key))
	b.Cols.CorrelationID.Append(unlessSame(id.CorrelationID, id.Key))
	commit(w, &w.idRows, b, 0, w.digestsReceived)
}

// addUser adds a row that says where the messages of a user are, unless it did a
// while ago.
func (w *worker) addUser(u digest.User) {
	hash, hour := digest.IDHash(u.Name), u.Slot-u.Slot%3600
	if w.p.toldUsers.has(hash, hour, u) {
		return
	}
	b := open(w, &w.userRows, int64(u.Slot)*1_000_000)
	b.Cols.User.Append(hash)
	b.Cols.Tenant.AppendString(w.p.cfg.Tenant)
	b.Cols.Hour.Append(hour)
	b.Cols.CorrelationID.Append(u.CorrelationID)
	b.Cols.Fields.Append(u.Fields)
	commit(w, &w.userRows, b, 0, w.digestsReceived)
}

// unlessSame is nothing where a name is the id itself: table ids has it so.
func unlessSame(name, id []byte) []byte {
	if string(name) == string(id) {
		return nil
	}
	return name
}
