// Package callstest gives tests the legs of captured traffic, without a database:
// HEP packets through the scanners to what package calls takes, as the views on
// the tables make it.
package callstest

import (
	"bytes"
	"cmp"
	"hash/fnv"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/heplake/heplake/ingest/hep"
	"github.com/heplake/heplake/ingest/media"
	"github.com/heplake/heplake/ingest/sip"
	"github.com/heplake/heplake/internal/calls"
	"github.com/heplake/heplake/internal/captures"
)

// Row is one SIP message or one quality report, as a row of table sip or media.
type Row struct {
	Tenant, CallID, CorrelationID, Node string
	Event                               calls.Event
	Opening                             calls.Opening
	Opens                               bool
	FirstHop                            bool
	Reason, SDP                         string
	Q850                                uint16
	UserAgents, LinkIDs, Media          []string
	Quality                             *calls.Quality
	src, dst                            netip.AddrPort
}

// correlationHeaders are looked at in this order where there is no chunk 0x11,
// as tests of the pipeline configure it.
var correlationHeaders = []string{"X-CID", "Session-ID"}

var scanner = sip.NewScanner(sip.Options{Headers: []string{"X-CID"}})

// Decode reads a HEP packet. It gives no row for what is neither SIP nor a report.
func Decode(t testing.TB, b []byte) []Row {
	t.Helper()
	var d hep.Decoder
	var p hep.Packet
	if err := d.Decode(&p, b); err != nil {
		t.Fatalf("hep: %v", err)
	}
	row := Row{
		Tenant: "default", CorrelationID: string(p.CorrelationID), Node: string(p.NodeName),
		src: netip.AddrPortFrom(p.Src.Unmap(), p.SrcPort), dst: netip.AddrPortFrom(p.Dst.Unmap(), p.DstPort),
	}
	if row.Node == "" && p.CaptureID != 0 {
		row.Node = strconv.Itoa(int(p.CaptureID))
	}
	row.Event = calls.Event{Time: p.Time, Src: hash(row.src.String()), Dst: hash(row.dst.String()), Agent: hash(row.Node)}
	if p.Type == hep.TypeRTCP {
		return reports(row, p.Payload)
	}
	var m sip.Message
	if p.Type != hep.TypeSIP && p.Type != 0 || !scanner.Scan(&m, p.Payload) {
		return nil
	}
	row.sip(&m, hep.TransportName(p.Protocol))
	return []Row{row}
}

func (r *Row) sip(m *sip.Message, transport string) {
	e := &r.Event
	e.Method, e.Status, e.CSeq = calls.MethodOf(string(m.Method)), m.Status, m.CSeq
	if m.Response {
		e.Method = calls.MethodOf(string(m.CSeqMethod))
	}
	e.FromTag, e.ToTag, e.Branch = hash(string(m.FromTag)), hash(string(m.ToTag)), hash(string(m.Via.Branch))
	r.SDP = string(m.SDP.AppendSummary(nil))
	e.SDP = hash(r.SDP)
	if m.Expires >= 0 {
		e.Expires = uint32(m.Expires)
	} else if m.ContactExpires >= 0 {
		e.Expires = uint32(m.ContactExpires)
	}
	r.CallID, r.Reason, r.Q850 = string(m.CallID), string(m.Reason), m.Q850
	for _, v := range [][]byte{m.UserAgent, m.Server} {
		if len(v) > 0 {
			r.UserAgents = append(r.UserAgents, string(v))
		}
	}
	link := func(name string, v []byte) {
		if len(bytes.Trim(v, "0")) > 0 {
			r.LinkIDs = append(r.LinkIDs, name+":"+string(v))
		}
	}
	ids := map[string][]byte{"Session-ID": m.SessionID}
	for _, h := range m.Custom {
		link(h.Name, h.Value)
		ids[h.Name] = h.Value
	}
	link("Session-ID", m.SessionID)
	link("Session-ID", m.SessionIDRemote)
	link("P-Charging-Vector", m.ICID)
	link("Replaces", m.Replaces)
	for _, name := range correlationHeaders {
		if r.CorrelationID == "" && len(ids[name]) > 0 && name != "Session-ID" {
			r.CorrelationID = string(ids[name])
		}
	}
	r.CorrelationID = cmp.Or(r.CorrelationID, r.CallID)
	if m.SDP.Has {
		for _, s := range m.SDP.Streams() {
			if a, err := netip.ParseAddr(string(s.Addr)); err == nil && s.Port != 0 {
				r.Media = append(r.Media, netip.AddrPortFrom(a, s.Port).String())
			}
		}
	}
	switch e.Method {
	case calls.Ack, calls.Bye, calls.Cancel, calls.Prack:
	default:
		r.Opens = !m.Response && len(m.ToTag) == 0
	}
	r.FirstHop = string(m.ViaLast.Host) == r.src.Addr().String() && m.ViaCount == 1
	r.Opening = calls.Opening{
		Time: time.UnixMicro(e.Time).UTC(), Method: string(m.Method), FromUser: string(m.From.User), FromDomain: string(m.From.Host), ToUser: string(m.To.User), ToDomain: string(m.To.Host),
		RuriUser: string(m.RURI.User), RuriDomain: string(m.RURI.Host), PAIUser: string(m.PAI.User), Diversion: string(m.Diversion.User),
		ContactUser: string(m.Contact.User), ContactHost: string(m.Contact.Host), ContactPort: m.Contact.Port,
		Src: r.src, Dst: r.dst, Transport: transport, UserAgent: string(m.UserAgent),
	}
}

// reports reads a HEP packet of RTCP. The correlation id names the call.
func reports(r Row, payload []byte) []Row {
	var d media.Decoder
	var list []media.Report
	if bytes.HasPrefix(bytes.TrimSpace(payload), []byte("{")) {
		list, _ = d.RTCPJSON(payload, 8000)
	} else {
		list, _ = d.RTCP(payload, 8000)
	}
	var out []Row
	for i := range list {
		q := &list[i]
		row := r
		row.CallID = r.CorrelationID
		row.Quality = &calls.Quality{From: r.src}
		if q.MOS > 0 {
			row.Quality.MOSMin, row.Quality.MOSSum, row.Quality.MOSCount = float64(q.MOS), float64(q.MOS), 1
		}
		if q.RTTMs > 0 {
			row.Quality.RTTSum, row.Quality.RTTCount = float64(q.RTTMs), 1
		}
		if q.SSRC != q.Reporter {
			row.Quality.LossSum, row.Quality.JitterSum, row.Quality.Receptions = float64(q.FractionLost), float64(q.JitterMs), 1
		}
		out = append(out, row)
	}
	return out
}

// hash is 0 for "".
func hash(s string) uint32 {
	if s == "" {
		return 0
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(s))
	return h.Sum32()
}

// Capture reads a capture of UDP packets of testdata/captures.
func Capture(t testing.TB, name string) []Row {
	t.Helper()
	var out []Row
	for _, p := range captures.Read(t, captures.Path(name+".pcap")) {
		out = append(out, Decode(t, p.Payload)...)
	}
	return out
}

// Legs puts rows together that are of one leg. The order of rows does not matter.
func Legs(rows []Row) []calls.Leg {
	type key struct{ tenant, callID string }
	byKey := map[key]*gathered{}
	var order []*gathered
	announced := map[netip.AddrPort]string{}
	for i := range rows {
		for _, m := range rows[i].Media {
			if a, err := netip.ParseAddrPort(m); err == nil {
				announced[a], announced[netip.AddrPortFrom(a.Addr(), a.Port()+1)] = rows[i].CallID, rows[i].CallID
			}
		}
	}
	for i := range rows {
		r := &rows[i]
		id := r.CallID
		if r.Quality != nil && id == "" {
			id = cmp.Or(announced[r.src], announced[r.dst])
		}
		k := key{r.Tenant, id}
		g := byKey[k]
		if g == nil {
			g = &gathered{leg: calls.Leg{Tenant: r.Tenant, CallID: id, Addresses: map[uint32]netip.AddrPort{}, Reasons: map[uint16]string{}, SDPs: map[uint32]string{}}}
			byKey[k] = g
			order = append(order, g)
		}
		g.add(r)
	}
	var out []calls.Leg
	for _, g := range order {
		if len(g.leg.Events) > 0 {
			out = append(out, g.leg)
		}
	}
	return out
}

// gathered is a leg with the times of what is chosen by time.
type gathered struct {
	leg                     calls.Leg
	opening                 *Row
	q850, offered, answered *Row
	reasons                 map[uint16]*Row
}

func (g *gathered) add(r *Row) {
	l := &g.leg
	if r.Quality != nil {
		for i := range l.Quality {
			if q := &l.Quality[i]; q.From == r.Quality.From {
				addQuality(q, r.Quality)
				return
			}
		}
		l.Quality = append(l.Quality, *r.Quality)
		return
	}
	if !slices.Contains(l.Events, r.Event) {
		l.Messages++
	}
	l.Events = append(l.Events, r.Event)
	at := time.UnixMicro(r.Event.Time).UTC()
	if l.First.IsZero() || at.Before(l.First) {
		l.First = at
	}
	if at.After(l.Last) {
		l.Last = at
	}
	if r.Opens {
		l.Addresses[r.Event.Src], l.Addresses[r.Event.Dst] = r.src, r.dst
	}
	if g.opening == nil || better(r, g.opening) {
		g.opening, l.Opening = r, r.Opening
	}
	if r.Q850 != 0 && later(r, &g.q850) {
		l.Q850 = r.Q850
	}
	if r.SDP != "" {
		l.SDPs[r.Event.SDP] = r.SDP
	}
	if r.SDP != "" && r.Event.Status == 0 && later(r, &g.offered) {
		l.Offered = r.SDP
	}
	if r.SDP != "" && r.Event.Status != 0 && later(r, &g.answered) {
		l.Answered = r.SDP
	}
	if r.Event.Status != 0 {
		if g.reasons == nil {
			g.reasons = map[uint16]*Row{}
		}
		last := g.reasons[r.Event.Status]
		if later(r, &last) {
			g.reasons[r.Event.Status], l.Reasons[r.Event.Status] = r, r.Reason
		}
	}
	l.UserAgents = union(l.UserAgents, r.UserAgents...)
	l.Nodes = union(l.Nodes, r.Node)
	l.MediaAddresses = union(l.MediaAddresses, r.Media...)
	l.LinkIDs = union(l.LinkIDs, r.LinkIDs...)
	l.CorrelationIDs = union(l.CorrelationIDs, r.CorrelationID)
}

// better tells which request rather opened the leg: one without a To tag, on the
// first hop, first.
func better(a, b *Row) bool {
	if a.Opens != b.Opens {
		return a.Opens
	}
	if a.FirstHop != b.FirstHop {
		return a.FirstHop
	}
	if a.Event.Status == 0 != (b.Event.Status == 0) {
		return a.Event.Status == 0
	}
	return before(a, b)
}

// before is a total order by time.
func before(a, b *Row) bool {
	return cmp.Or(cmp.Compare(a.Event.Time, b.Event.Time), cmp.Compare(a.Event.Src, b.Event.Src), strings.Compare(a.SDP+a.Reason, b.SDP+b.Reason)) < 0
}

// later reports whether r is the last one so far, and remembers it.
func later(r *Row, last **Row) bool {
	if *last != nil && !before(*last, r) {
		return false
	}
	*last = r
	return true
}

func union(list []string, values ...string) []string {
	for _, v := range values {
		if v != "" && !slices.Contains(list, v) {
			list = append(list, v)
		}
	}
	slices.Sort(list)
	return list
}

func addQuality(q, o *calls.Quality) {
	if o.MOSCount > 0 && (q.MOSCount == 0 || o.MOSMin < q.MOSMin) {
		q.MOSMin = o.MOSMin
	}
	q.MOSSum += o.MOSSum
	q.MOSCount += o.MOSCount
	q.LossSum += o.LossSum
	q.JitterSum += o.JitterSum
	q.RTTSum += o.RTTSum
	q.Receptions += o.Receptions
	q.RTTCount += o.RTTCount
}
