package ingest

import (
	"encoding/json"
	"hash/maphash"
	"net/netip"
	"strconv"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/heplake/heplake/ingest/hep"
	"github.com/heplake/heplake/ingest/media"
	"github.com/heplake/heplake/ingest/sip"
)

// heplify keeps the metrics that heplify-server has, for those who come from
// it. All workers share it; nil is off. It takes a lock for each packet, which
// is why it is not on unless asked for.
type heplify struct {
	*heplifyVecs
	targets map[netip.Addr]string
	seed    maphash.Seed

	mu    sync.Mutex
	nodes map[string]string // names as labels, maxAgents at most
	types map[uint16]string
	// counted are the messages counted where there are no targets: a message seen
	// on several hops counts once. began has the times of first requests, in µs.
	counted, began recent
}

// newHeplify makes the metrics. targets names addresses; empty tells messages
// apart by nothing but what they say.
func newHeplify(targets map[netip.Addr]string) *heplify {
	return &heplify{
		heplifyVecs: newHeplifyVecs(), targets: targets, seed: maphash.MakeSeed(),
		nodes: map[string]string{}, types: map[uint16]string{},
	}
}

// recent remembers numbers by key, at least the last recentKeys of them.
type recent struct{ young, old map[uint64]int64 }

const recentKeys = 200_000

func (r *recent) get(key uint64) (int64, bool) {
	if v, ok := r.young[key]; ok {
		return v, true
	}
	v, ok := r.old[key]
	return v, ok
}

func (r *recent) set(key uint64, v int64) {
	if r.young == nil || len(r.young) >= recentKeys {
		r.young, r.old = make(map[uint64]int64), r.young
	}
	r.young[key] = v
}

func (r *recent) forget(key uint64) {
	delete(r.young, key)
	delete(r.old, key)
}

// Heplify collects the metrics by heplify-server's names; nil when they are off.
func (p *Pipeline) Heplify() prometheus.Collector {
	if p.heplify == nil {
		return nil
	}
	return p.heplify
}

// Describe implements prometheus.Collector.
func (h *heplify) Describe(ch chan<- *prometheus.Desc) {
	for _, c := range h.all() {
		c.Describe(ch)
	}
}

// Collect implements prometheus.Collector.
func (h *heplify) Collect(ch chan<- prometheus.Metric) {
	for _, c := range h.all() {
		c.Collect(ch)
	}
}

// packet counts a packet that was decoded.
func (h *heplify) packet(p *hep.Packet) {
	if h == nil {
		return
	}
	h.mu.Lock()
	node, typ := h.node(p), h.typeName(p.Type)
	h.mu.Unlock()
	h.packets.WithLabelValues(node, typ).Inc()
	h.size.WithLabelValues(node, typ).Set(float64(len(p.Payload)))
}

// node is the label of the packet's sender: its name, else its id. The lock is held.
func (h *heplify) node(p *hep.Packet) string {
	if len(p.NodeName) == 0 {
		return strconv.FormatUint(uint64(p.CaptureID), 10)
	}
	name := p.NodeName[:min(len(p.NodeName), maxAgentName)]
	if l, ok := h.nodes[string(name)]; ok {
		return l
	}
	if len(h.nodes) >= maxAgents {
		return "other"
	}
	l := label(string(name))
	h.nodes[string(name)] = l
	return l
}

// typeName is the type by heplify-server's words. The lock is held.
func (h *heplify) typeName(t uint16) string {
	switch t {
	case hep.TypeSIP:
		return "sip"
	case hep.TypeRTCP:
		return "rtcp"
	case hep.TypeRTPAgent:
		return "rtpagent"
	case hep.TypeVQRTCPXR:
		return "rtcpxr"
	case hep.TypeHoraclifix:
		return "horaclifix"
	case hep.TypeDNS:
		return "dns"
	case hep.TypeLog:
		return "log"
	}
	if s, ok := h.types[t]; ok {
		return s
	}
	s := "other"
	if len(h.types) < 256 {
		s = strconv.Itoa(int(t))
		h.types[t] = s
	}
	return s
}

// side is a target and the direction of what goes by.
type side struct{ target, direction string }

// sides are whom a packet concerns: its source, its destination or both, and
// "unknown" when neither is a target.
func (h *heplify) sides(p *hep.Packet) (out []side, src, dst string) {
	src, dst = h.targets[p.Src], h.targets[p.Dst]
	if src != "" {
		out = append(out, side{src, "src"})
	}
	if dst != "" {
		out = append(out, side{dst, "dst"})
	}
	if out == nil {
		out = append(out, side{"unknown", ""})
	}
	return out, src, dst
}

// message counts a SIP message.
func (h *heplify) message(p *hep.Packet, m *sip.Message, us int64) {
	if h == nil {
		return
	}
	method, what := methodLabel(m.CSeqMethod), methodLabel(m.Method)
	if m.Response {
		what = "other"
		if m.Status >= 100 && m.Status < 700 {
			what = strconv.Itoa(int(m.Status))
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	node := h.node(p)
	sides, src, dst := h.sides(p)
	if len(h.targets) > 0 {
		for _, s := range sides {
			h.responses.WithLabelValues(s.target, s.direction, node, what, method).Inc()
		}
		if src != "" {
			h.cause(src, what, m)
		}
		if src == "" && dst == "" {
			return
		}
	}
	h.delay(p, m, us, method, what, node, src, dst)
	if len(h.targets) == 0 {
		key := h.key(m.CallID, what, method)
		if _, seen := h.counted.get(key); seen {
			return
		}
		h.counted.set(key, 0)
		h.responses.WithLabelValues("", "", node, what, method).Inc()
		h.cause("", what, m)
	}
}

// methodLabel is a method that is known, else OTHER: names from the wire make no labels.
func methodLabel(method []byte) string { return methodNames[methodNumber(method)] }

func (h *heplify) cause(target, what string, m *sip.Message) {
	if m.Q850 > 0 && m.Q850 < 128 { // seven bits
		h.causes.WithLabelValues(target, strconv.Itoa(int(m.Q850)), what).Inc()
	}
}

// delay measures the time from the first INVITE or REGISTER of a Call-ID to
// its first answer, ringing or final, on the hop that it was first seen on.
func (h *heplify) delay(p *hep.Packet, m *sip.Message, us int64, method, what, node, src, dst string) {
	if method != "INVITE" && method != "REGISTER" {
		return
	}
	call := m.CallID
	for strings.HasSuffix(string(call), "_b2b-1") {
		call = call[:len(call)-len("_b2b-1")]
	}
	whole := h.key(call, "", "")
	if what == method {
		if first, ok := h.began.get(whole); !ok || us < first {
			h.began.set(whole, us)
			h.began.set(h.hop(call, p.Src), us)
		}
		return
	}
	switch what {
	case "180", "181", "182", "183", "200":
	default:
		return
	}
	hop := h.hop(call, p.Dst)
	first, ok := h.began.get(hop)
	if !ok || us < first {
		return
	}
	h.began.forget(hop)
	if dst == "" {
		dst = src
	}
	ns := float64(us-first) * 1000
	if method == "INVITE" {
		h.srd.WithLabelValues(dst, node).Set(ns)
		return
	}
	h.rrd.WithLabelValues(dst, node).Set(ns)
	h.began.forget(whole) // a registration is refreshed under its Call-ID
}

func (h *heplify) key(call []byte, what, method string) uint64 {
	var x maphash.Hash
	x.SetSeed(h.seed)
	_, _ = x.Write(call)
	_ = x.WriteByte(0)
	_, _ = x.WriteString(what)
	_ = x.WriteByte(0)
	_, _ = x.WriteString(method)
	return x.Sum64()
}

func (h *heplify) hop(call []byte, addr netip.Addr) uint64 {
	var x maphash.Hash
	x.SetSeed(h.seed)
	a := addr.As16()
	_, _ = x.Write(a[:])
	_, _ = x.Write(call)
	return x.Sum64()
}

// quality takes the reports of a packet.
func (h *heplify) quality(p *hep.Packet, reports []media.Report) {
	if h == nil || len(reports) == 0 {
		return
	}
	h.mu.Lock()
	node := h.node(p)
	h.mu.Unlock()
	sides, src, _ := h.sides(p)
	rtcp := false
	for i := range reports {
		r := &reports[i]
		switch r.Source {
		case media.SourceRTCP:
			if r.Reception && !rtcp { // the first block
				rtcp = true
				h.rtcp(sides, node, r)
			}
		case media.SourceRTCPXR:
			h.xr(sides, node, r)
		case media.SourceVQ:
			h.vq(node, r)
		case media.SourceRTPAgent:
			setIf(h.agentDelta, r, media.MetricDeltaMs, 1, node)
			h.agentJitter.WithLabelValues(node).Set(figure(r.JitterMs))
			h.agentMOS.WithLabelValues(node).Set(figure(r.MOS))
			h.agentLost.WithLabelValues(node).Set(float64(r.Lost))
		case media.SourceRTPStat:
			h.xrtp(src, r)
		case media.SourceHoraclifix:
			h.sbc(p, r)
		}
	}
}

func (h *heplify) rtcp(sides []side, node string, r *media.Report) {
	for _, s := range sides {
		h.rtcpFraction.WithLabelValues(s.target, s.direction, node).Set(figure(r.FractionLost) * 256)
		h.rtcpLost.WithLabelValues(s.target, s.direction, node).Set(float64(r.Lost))
		h.rtcpJitter.WithLabelValues(s.target, s.direction, node).Set(believable(float64(r.JitterRaw)))
		h.rtcpDLSR.WithLabelValues(s.target, s.direction, node).Set(believable(float64(r.DLSR)))
	}
}

// believable is 0 for a counter that wrapped or was never set, as heplify-server has it.
func believable(v float64) float64 {
	if v > 10_000_000 {
		return 0
	}
	return v
}

func (h *heplify) xr(sides []side, node string, r *media.Report) {
	for _, s := range sides {
		l := []string{s.target, s.direction, node}
		h.xrFraction.WithLabelValues(l...).Set(figure(r.FractionLost) * 256)
		h.xrRTD.WithLabelValues(l...).Set(figure(r.RTTMs))
		setIf(h.xrDiscard, r, media.MetricDiscardRate, 256, l...)
		setIf(h.xrBurstDensity, r, media.MetricBurstDensity, 256, l...)
		setIf(h.xrBurst, r, media.MetricBurstMs, 1, l...)
		setIf(h.xrGapDensity, r, media.MetricGapDensity, 256, l...)
		setIf(h.xrGap, r, media.MetricGapMs, 1, l...)
		setIf(h.xrESD, r, media.MetricEndSystemMs, 1, l...)
	}
}

func (h *heplify) vq(node string, r *media.Report) {
	h.vqNLR.WithLabelValues(node).Set(figure(r.FractionLost) * 100)
	h.vqIAJ.WithLabelValues(node).Set(figure(r.JitterMs))
	setIf(h.vqJDR, r, media.MetricDiscardRate, 100, node)
	setIf(h.vqMOSLQ, r, media.MetricMOSLQ, 1, node)
	setIf(h.vqMOSCQ, r, media.MetricMOSCQ, 1, node)
}

func (h *heplify) xrtp(target string, r *media.Report) {
	h.xrtpJIR.WithLabelValues(target).Set(figure(r.JitterMs))
	h.xrtpPLR.WithLabelValues(target).Set(float64(r.Lost))
	h.xrtpDLE.WithLabelValues(target).Set(figure(r.RTTMs))
	h.xrtpMOS.WithLabelValues(target).Set(figure(r.MOS))
	setIf(h.xrtpCS, r, media.MetricSetupMs, 0.001, target)
	setIf(h.xrtpJIS, r, media.MetricJitterSentMs, 1, target)
	setIf(h.xrtpPLS, r, media.MetricLostSent, 1, target)
}

// sbc takes one direction of an SBC's record. The names in it have no column,
// so the record is read once more for them; there are few.
func (h *heplify) sbc(p *hep.Packet, r *media.Report) {
	var names struct {
		Name string `json:"NAME"`
		Inc  string `json:"INC_REALM"`
		Out  string `json:"OUT_REALM"`
	}
	if json.Unmarshal(p.Payload, &names) != nil {
		return
	}
	direction := "inc"
	if r.Party == media.PartyCallee {
		direction = "out"
	}
	l := []string{label(names.Name), direction, label(names.Inc), label(names.Out)}
	h.sbcMOS.WithLabelValues(l...).Set(figure(r.MOS))
	h.sbcR.WithLabelValues(l...).Set(figure(r.RFactor))
	h.sbcPackets.WithLabelValues(l...).Set(float64(r.Packets))
	h.sbcLost.WithLabelValues(l...).Set(float64(r.Lost))
	h.sbcJitter.WithLabelValues(l...).Set(figure(r.JitterMs))
	setIf(h.sbcMaxJitter, r, media.MetricMaxJitterMs, 1, l...)
	setIf(h.sbcRTCPPackets, r, media.MetricRTCPPackets, 1, l...)
	setIf(h.sbcRTCPLost, r, media.MetricRTCPLost, 1, l...)
	setIf(h.sbcRTCPJitter, r, media.MetricRTCPJitterMs, 1, l...)
	setIf(h.sbcRTCPMaxJitter, r, media.MetricRTCPMaxJitter, 1, l...)
	setIf(h.sbcLat, r, media.MetricLatencyMs, 1, l...)
	setIf(h.sbcMax, r, media.MetricMaxLatencyMs, 1, l...)
}

// setIf sets the gauge to a further figure of the report, if it has that.
func setIf(g *prometheus.GaugeVec, r *media.Report, metric string, scale float64, labels ...string) {
	if v, ok := r.Metric(metric); ok {
		g.WithLabelValues(labels...).Set(figure(float32(v)) * scale)
	}
}

// figure is v as it was written: 4.2 and not the float32 next to it.
func figure(v float32) float64 {
	f, _ := strconv.ParseFloat(strconv.FormatFloat(float64(v), 'g', -1, 32), 64)
	return f
}
