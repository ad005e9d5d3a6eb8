package ingest

import (
	"bytes"
	"net/netip"
	"strconv"
	"strings"

	"github.com/heplake/heplake/ingest/batch"
	"github.com/heplake/heplake/ingest/hep"
	"github.com/heplake/heplake/ingest/media"
	"github.com/heplake/heplake/ingest/sip"
)

// addSIP adds the row of the scanned message, which accounts for so many
// received packets, and rows of what else the message carries.
func (w *worker) addSIP(r *record, packets int) {
	m, p := &w.message, &w.packet
	b := open(w, &w.sipRows, r.us)
	c := &b.Cols

	correlation := w.correlation(p, m)
	w.origin(&c.Origin, r, correlation, w.transportOf(p, m))
	c.Method.Append(m.Method)
	c.Status.Append(m.Status)
	c.Reason.Append(m.Reason)
	c.CSeq.Append(m.CSeq)
	c.CSeqMethod.Append(m.CSeqMethod)
	c.FromUser.Append(m.From.User)
	c.FromDomain.Append(m.From.Host)
	c.FromTag.Append(m.FromTag)
	c.ToUser.Append(m.To.User)
	c.ToDomain.Append(m.To.Host)
	c.ToTag.Append(m.ToTag)
	c.RURIUser.Append(m.RURI.User)
	c.RURIDomain.Append(m.RURI.Host)
	c.UserAgent.Append(m.UserAgent)
	c.Server.Append(m.Server)
	c.ContactUser.Append(m.Contact.User)
	c.ContactHost.Append(m.Contact.Host)
	c.ContactPort.Append(m.Contact.Port)
	c.PAIUser.Append(m.PAI.User)
	c.AuthUser.Append(m.AuthUser)
	c.Diversion.Append(m.Diversion.User)
	c.ViaHost.Append(m.ViaLast.Host)
	c.ViaPort.Append(m.ViaLast.Port)
	c.ContentType.Append(m.ContentType)
	c.Expires.Append(expires(m))
	c.Q850.Append(q850(m))
	c.ReasonHeader.Append(m.ReasonHeader)
	w.sdp = m.SDP.AppendSummary(w.sdp[:0])
	c.SDP.Append(w.sdp)
	w.headers(&c.Headers, m)
	w.text = m.Errs.Append(w.text[:0])
	c.ParseError.Append(w.text)
	w.packer.appendTo(c, p.Payload, correlation, m)
	commit(w, &w.sipRows, b, packets, r.received)
	w.digestMessageOf(r, m, correlation)

	w.tally.count(m)
	w.p.heplify.message(p, m, r.us)
	w.p.mediaIndex.learn(m, correlation)
	w.qualityIn(r, m, correlation)
}

// qualityIn adds the reports that a SIP message carries: a voice quality report
// in its body (RFC 6035) or a statistics header in a BYE.
func (w *worker) qualityIn(r *record, m *sip.Message, correlation []byte) {
	var reports []media.Report
	var err error
	raw := m.XRTPStat
	switch {
	case len(m.Body) > 0 && bytes.Contains(m.ContentType, []byte("vq-rtcpxr")):
		raw = m.Body
		reports, err = w.media.VQReport(raw)
	case len(raw) > 0:
		reports, err = w.media.RTPStat(raw)
	default:
		if string(m.Method) == "INFO" {
			if digit, ms, ok := media.SIPInfoDTMF(m.ContentType, m.Body); ok {
				w.packet.CorrelationID, w.linkedCall = correlation, m.CallID
				w.addDTMF(r, digit, ms, "info")
			}
		}
		return
	}
	if err != nil {
		return // the message itself is stored, its report with it
	}
	w.packet.CorrelationID = correlation
	if len(w.packet.CorrelationID) == 0 {
		w.packet.CorrelationID = m.CallID
	}
	w.addReports(r, reports, raw, 0)
}

// reports decodes the payload by its type. handled is false for types that
// carry no quality report.
func (w *worker) reports(call *mediaCall) (reports []media.Report, handled bool, err error) {
	payload, hz := w.packet.Payload, 0
	if call != nil {
		hz = clock(call.codec(0))
	}
	switch w.packet.Type {
	case hep.TypeRTCP:
		if first := bytes.TrimLeft(payload, " \t\r\n"); len(first) > 0 && first[0] == '{' {
			reports, err = w.media.RTCPJSON(payload, hz)
		} else {
			reports, err = w.media.RTCP(payload, hz)
		}
	case hep.TypeVQRTCPXR, hep.TypeRTPAgent:
		first := bytes.TrimLeft(payload, " \t\r\n")
		switch {
		case len(first) > 0 && first[0] == '{':
			reports, err = w.media.QoS(payload, w.packet.MOS, hz)
		default:
			reports, err = w.media.VQReport(payload)
		}
	case hep.TypeHoraclifix:
		reports, err = w.media.Horaclifix(payload)
	default:
		return nil, false, nil
	}
	return reports, true, err
}

// addReports adds a row for each report. The first accounts for the packet.
func (w *worker) addReports(r *record, reports []media.Report, raw []byte, packets int) {
	p := &w.packet
	w.p.heplify.quality(p, reports)
	for i := range reports {
		q := &reports[i]
		q.HEPQuality(p.MOS, p.RFactor)
		b := open(w, &w.mediaRows, r.us)
		c := &b.Cols
		correlation, call := p.CorrelationID, w.callID()
		if len(q.CallID) > 0 {
			call = q.CallID
			if len(correlation) == 0 {
				correlation = call
			}
		}
		c.CallID.Append(call)
		w.origin(&c.Origin, r, correlation, hep.TransportName(p.Protocol))
		c.Source.AppendString(q.Source.String())
		c.Report.AppendString(q.Type)
		c.SSRC.Append(q.SSRC)
		c.Reporter.Append(q.Reporter)
		c.Packets.Append(q.Packets)
		c.Octets.Append(q.Octets)
		c.Lost.Append(q.Lost)
		c.FractionLost.Append(q.FractionLost)
		c.JitterMs.Append(q.JitterMs)
		c.RTTMs.Append(q.RTTMs)
		c.MOS.Append(q.MOS)
		c.MOSMethod.AppendString(q.MOSMethod)
		c.RFactor.Append(q.RFactor)
		c.Codec.Append(q.Codec)
		for _, x := range q.Extra {
			c.Metrics.Set(x.Name, float32(x.Value))
		}
		c.Metrics.End()
		if i > 0 {
			raw, packets = nil, 0
		}
		c.Raw.Append(raw)
		commit(w, &w.mediaRows, b, packets, r.received)
		w.digestReport(r, q, correlation, call)
	}
}

// callID is the Call-ID of a record that is no SIP: the one linked by media
// address, else what its sender calls the call.
func (w *worker) callID() []byte {
	if len(w.linkedCall) > 0 {
		return w.linkedCall
	}
	return w.packet.CorrelationID
}

// addEvent adds the row of anything that is neither SIP nor a report. stage and
// reason say what would not decode, if anything.
func (w *worker) addEvent(r *record, stage, reason string, offset int) {
	name := "undecodable"
	if w.packet.Variant != 0 {
		name = hep.TypeName(w.packet.Type)
	}
	w.addEventRow(r, name, w.packet.Payload, stage, reason, offset, 1)
}

func (w *worker) addEventRow(r *record, typeName string, body []byte, stage, reason string, offset, packets int) {
	p := &w.packet
	b := open(w, &w.eventRows, r.us)
	c := &b.Cols
	c.CallID.Append(w.callID())
	w.origin(&c.Origin, r, p.CorrelationID, hep.TransportName(p.Protocol))
	c.Type.Append(p.Type)
	c.TypeName.AppendString(typeName)
	c.Stage.AppendString(stage)
	c.Error.AppendString(reason)
	c.ErrorOffset.Append(uint32(offset))
	c.Body.Append(body)
	commit(w, &w.eventRows, b, packets, r.received)
}

// origin fills the columns that every table has.
func (w *worker) origin(c *batch.Origin, r *record, correlation []byte, transport string) {
	p := &w.packet
	c.Time.Append(r.us)
	c.Tenant.AppendString(w.p.cfg.Tenant)
	c.Node.Append(p.NodeName)
	c.CaptureID.Append(p.CaptureID)
	c.CorrelationID.Append(correlation)
	c.SrcIP.Append(as16(p.Src))
	c.SrcPort.Append(p.SrcPort)
	c.DstIP.Append(as16(p.Dst))
	c.DstPort.Append(p.DstPort)
	c.Transport.AppendString(transport)
	w.chunks(&c.HEP, r)
	c.HEP.End()
}

// as16 is the address as the columns hold it: IPv4 mapped, none as ::.
func as16(a netip.Addr) [16]byte {
	if !a.IsValid() {
		return [16]byte{}
	}
	return a.As16()
}

// correlation is what ties the message to the other legs of its call: the
// agent's word for it, else the first configured header, else its Call-ID.
func (w *worker) correlation(p *hep.Packet, m *sip.Message) []byte {
	if len(p.CorrelationID) > 0 {
		return p.CorrelationID
	}
	for _, name := range w.p.cfg.CorrelationHeaders {
		if v := correlationHeader(m, name); len(v) > 0 {
			return v
		}
	}
	return m.CallID
}

// The headers whose values are not compared whole, by the spelling that
// parsedHeaders gives them.
const (
	headerSessionID      = "Session-ID"
	headerChargingVector = "P-Charging-Vector"
)

// parsedHeaders gives the parsed headers among names their one spelling, and
// returns those that the scanner has to look for by name.
func parsedHeaders(names []string) (spelled, custom []string) {
	for _, name := range names {
		switch {
		case strings.EqualFold(name, headerSessionID):
			spelled = append(spelled, headerSessionID)
		case strings.EqualFold(name, headerChargingVector):
			spelled = append(spelled, headerChargingVector)
		default:
			spelled, custom = append(spelled, name), append(custom, name)
		}
	}
	return spelled, custom
}

func correlationHeader(m *sip.Message, name string) []byte {
	switch name {
	case headerSessionID:
		// RFC 7989: a pair of UUIDs, one of each end, in an order that depends on
		// who speaks. The lesser one that is set is the same in both directions.
		return lesserUUID(m.SessionID, m.SessionIDRemote)
	case headerChargingVector:
		return m.ICID
	}
	for i := range m.Custom {
		if strings.EqualFold(m.Custom[i].Name, name) {
			return m.Custom[i].Value
		}
	}
	return nil
}

func lesserUUID(a, b []byte) []byte {
	switch {
	case isNilUUID(a):
		a = b
	case isNilUUID(b):
		b = a
	}
	if isNilUUID(a) {
		return nil
	}
	if bytes.Compare(b, a) < 0 {
		return b
	}
	return a
}

// isNilUUID tells whether the UUID is absent or the nil one of RFC 7989 section 6.
func isNilUUID(b []byte) bool { return len(bytes.Trim(b, "0")) == 0 }

// transportOf names the transport. Kamailio reports TLS and WebSocket as
// protocol 22; the topmost Via, which names the hop, tells them apart.
func (w *worker) transportOf(p *hep.Packet, m *sip.Message) string {
	const kamailioTLS = 22
	if p.Protocol == kamailioTLS {
		switch {
		case bytes.EqualFold(m.Via.Transport, []byte("ws")):
			return "ws"
		case bytes.EqualFold(m.Via.Transport, []byte("wss")):
			return "wss"
		}
	}
	return hep.TransportName(p.Protocol)
}

func expires(m *sip.Message) uint32 {
	switch {
	case m.Expires >= 0:
		return uint32(m.Expires)
	case m.ContactExpires >= 0:
		return uint32(m.ContactExpires)
	}
	return 0
}

func q850(m *sip.Message) uint16 {
	if m.Q850 == 0 && m.ISUP.Has {
		return uint16(m.ISUP.Cause)
	}
	return m.Q850
}

// headers keeps what the configuration asks for, and the few identifiers that
// other systems know a call by.
func (w *worker) headers(c *batch.Map, m *sip.Message) {
	for i := range m.Custom {
		c.Set(m.Custom[i].Name, m.Custom[i].Value)
	}
	set := func(name string, v []byte) {
		if len(v) > 0 {
			c.Set(name, v)
		}
	}
	set(headerSessionID, m.SessionID)
	set(headerSessionID+".remote", m.SessionIDRemote)
	set(headerChargingVector+".icid-value", m.ICID)
	set("History-Info", m.HistoryInfo)
	set("Event", m.Event)
	set("Refer-To", m.ReferTo.User)
	set("Replaces", m.Replaces)
	c.End()
}

// chunks keeps the chunks that have no column. The auth key is never kept.
func (w *worker) chunks(c *batch.Map, r *record) {
	p := &w.packet
	number := func(name string, v uint64) {
		if v != 0 {
			w.text = strconv.AppendUint(w.text[:0], v, 10)
			c.Set(name, w.text)
		}
	}
	text := func(name string, v []byte) {
		if len(v) > 0 {
			c.Set(name, v)
		}
	}
	mac := func(name string, v [6]byte) {
		if v != ([6]byte{}) {
			const hex = "0123456789abcdef"
			w.text = w.text[:0]
			for i, b := range v {
				if i > 0 {
					w.text = append(w.text, ':')
				}
				w.text = append(w.text, hex[b>>4], hex[b&15])
			}
			c.Set(name, w.text)
		}
	}
	if p.Has&rareChunks != 0 {
		number("vlan", uint64(p.VLAN))
		number("tos", uint64(p.TOS))
		number("tcp_flags", uint64(p.TCPFlags))
		number("ethertype", uint64(p.EtherType))
		mac("src_mac", p.SrcMAC)
		mac("dst_mac", p.DstMAC)
		number("mos", uint64(p.MOS))
		number("r_factor", uint64(p.RFactor))
		number("jitter", uint64(p.Jitter))
		text("geo", p.Geo)
		text("transaction_type", p.TransactionType)
		text("payload_keys", p.PayloadKeys)
		text("tag_values", p.TagValues)
		number("tag_type", uint64(p.TagType))
		number("event_type", uint64(p.EventType))
		text("group_id", p.GroupID)
		number("keepalive", uint64(p.KeepAlive))
	}
	for i := range p.Extra {
		x := &p.Extra[i]
		if x.Vendor == hep.VendorGeneric && x.Type == hep.ChunkAuthKey {
			continue
		}
		w.text = strconv.AppendUint(w.text[:0], uint64(x.Vendor), 10)
		w.text = append(w.text, '.')
		w.text = strconv.AppendUint(w.text, uint64(x.Type), 10)
		c.Set(string(w.text), x.Data)
	}
	if r.absurd {
		w.text = strconv.AppendInt(w.text[:0], p.Time, 10)
		c.Set("hep.time", w.text)
	}
}

// rareChunks are those that chunks looks for.
var rareChunks = hep.ChunkSet(0).With(hep.ChunkKeepAlive, hep.ChunkVLAN, hep.ChunkSrcMAC, hep.ChunkDstMAC, hep.ChunkEtherType,
	hep.ChunkTCPFlags, hep.ChunkTOS, hep.ChunkMOS, hep.ChunkRFactor, hep.ChunkGeo, hep.ChunkJitter, hep.ChunkTransactionType,
	hep.ChunkPayloadKeys, hep.ChunkTagValues, hep.ChunkTagType, hep.ChunkEventType, hep.ChunkGroupID)
