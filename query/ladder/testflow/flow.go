package testflow

import (
	"encoding/json"
	"fmt"
	"sort"
	"strconv"
	"strings"
	"testing"

	"github.com/heplake/heplake/query"
)

// Load makes the flow of the legs with these Call-IDs out of a capture: the
// first is the one asked for. A Call-ID may end in "*" to name the first one
// that begins so. RTCP and log lines come along when their correlation id is
// one of the Call-IDs.
func Load(t testing.TB, capture string, callIDs ...string) *query.Flow {
	t.Helper()
	recs := records(t, capture)
	sort.SliceStable(recs, func(i, j int) bool { return recs[i].time.Before(recs[j].time) })
	b := builder{f: &query.Flow{}, columns: map[string]int{}, sent: map[string][]string{}}
	for i, id := range callIDs {
		l := query.Leg{CallID: resolve(t, recs, id), LinkedBy: "asked"}
		if i > 0 {
			l.LinkedBy, l.LinkValue = "correlation_id", b.f.Legs[0].CallID
		}
		b.f.Legs = append(b.f.Legs, l)
	}
	for _, r := range recs {
		b.add(r)
	}
	if len(b.f.Items) == 0 {
		t.Fatalf("%s has no message of %q", capture, callIDs)
	}
	b.summarise()
	return b.f
}

func resolve(t testing.TB, recs []record, id string) string {
	t.Helper()
	prefix, glob := strings.CutSuffix(id, "*")
	if !glob {
		return id
	}
	for _, r := range recs {
		if m, ok := parseSIP(r.payload); ok && strings.HasPrefix(m.header["call-id"], prefix) {
			return m.header["call-id"]
		}
	}
	t.Fatalf("no Call-ID begins with %q", prefix)
	return ""
}

type builder struct {
	f       *query.Flow
	columns map[string]int      // address to participant
	sent    map[string][]string // hop and message to the nodes that saw it
	codecs  []string
}

func (b *builder) leg(callID string) int {
	for i, l := range b.f.Legs {
		if l.CallID == callID {
			return i
		}
	}
	return -1
}

func (b *builder) add(r record) {
	it := query.Item{
		Index: len(b.f.Items), Time: r.time, Transport: r.transport, Node: r.node, CaptureID: r.captureID,
		SrcAddr: r.src, DstAddr: r.dst,
		Raw: strings.ToValidUTF8(string(r.payload), "\ufffd"), RawBytes: r.payload, Kind: query.KindEvent,
	}
	m, isSIP := parseSIP(r.payload)
	if isSIP && r.kind == 1 {
		it.Kind, it.CallID = query.KindSIP, m.header["call-id"]
		b.sip(&it, r, m)
	} else {
		it.CallID, it.Label = r.correlation, strings.TrimSpace(string(r.payload))
		if r.kind == 5 {
			it.Kind, it.Label = query.KindMedia, rtcpLabel(r.payload)
		}
	}
	if it.Leg = b.leg(it.CallID); it.Leg < 0 {
		return
	}
	if it.Kind == query.KindSIP {
		key := fmt.Sprint(r.src, r.dst, it.CallID, it.Method, it.Status, m.header["cseq"], m.header["via"], m.header["to"])
		nodes := b.sent[key]
		it.Retransmission, it.Copy = len(nodes) > 0, len(nodes) > 0 && nodes[len(nodes)-1] != r.node
		if it.Copy {
			it.Retransmission = false
		}
		b.sent[key] = append(nodes, r.node)
	}
	b.f.Legs[it.Leg].Messages++
	it.Src, it.Dst = b.participant(r.src.String()), b.participant(r.dst.String())
	if name := m.header["user-agent"] + m.header["server"]; isSIP && b.f.Participants[it.Src].Name == "" && !relayed(m) {
		b.f.Participants[it.Src].Name = name
	}
	if n := len(b.f.Items); n > 0 {
		it.OffsetUs = it.Time.Sub(b.f.Items[0].Time).Microseconds()
		it.DeltaUs = it.Time.Sub(b.f.Items[n-1].Time).Microseconds()
	}
	b.f.Items = append(b.f.Items, it)
}

// relayed says that a proxy passed a request on, so that its User-Agent is not
// the sender's own.
func relayed(m message) bool {
	return m.method != "" && m.header["record-route"] != "" || m.status > 100 && m.header["server"] == ""
}

func (b *builder) participant(addr string) int {
	if i, ok := b.columns[addr]; ok {
		return i
	}
	i := len(b.f.Participants)
	b.columns[addr] = i
	p := query.Participant{Address: addr}
	host, port, _ := strings.Cut(addr, "]:")
	if !strings.HasPrefix(addr, "[") {
		host, port, _ = strings.Cut(addr, ":")
	}
	_ = p.IP.UnmarshalText([]byte(strings.TrimPrefix(host, "[")))
	n, _ := strconv.ParseUint(port, 10, 16)
	p.Port = uint16(n)
	b.f.Participants = append(b.f.Participants, p)
	return i
}

func (b *builder) sip(it *query.Item, _ record, m message) {
	it.Method, it.Status, it.Reason = m.method, m.status, m.reason
	num, method, _ := strings.Cut(m.header["cseq"], " ")
	n, _ := strconv.ParseUint(num, 10, 32)
	it.CSeq, it.CSeqMethod = uint32(n), strings.TrimSpace(method)
	it.FromUser, it.ToUser, it.RURIUser = user(m.header["from"]), user(m.header["to"]), user(m.ruri)
	it.Label = strings.TrimSpace(m.method + " " + it.RURIUser)
	if m.status != 0 {
		it.Label = fmt.Sprintf("%d %s", m.status, m.reason)
	}
	if strings.HasPrefix(m.header["content-type"], "application/sdp") {
		it.SDP = b.sdp(m.body)
	}
}

func (b *builder) sdp(body string) string {
	var addr, media, direction string
	direction = "sendrecv"
	names := map[string]string{"0": "PCMU", "8": "PCMA", "9": "G722", "18": "G729", "101": "telephone-event"}
	var codecs []string
	for _, l := range strings.Split(body, "\n") {
		l = strings.TrimSpace(l)
		switch {
		case strings.HasPrefix(l, "c="):
			if addr = l[strings.LastIndexByte(l, ' ')+1:]; strings.Contains(addr, ":") {
				addr = "[" + addr + "]"
			}
		case strings.HasPrefix(l, "m=") && media == "":
			f := strings.Fields(l[2:])
			media = f[0] + " %s:" + f[1]
			codecs = f[3:]
		case strings.HasPrefix(l, "a=rtpmap:"):
			id, name, _ := strings.Cut(l[9:], " ")
			names[id], _, _ = strings.Cut(name, "/")
		case l == "a=sendonly", l == "a=recvonly", l == "a=inactive":
			direction = l[2:]
		}
	}
	if media == "" {
		return ""
	}
	for i, c := range codecs {
		if n := names[c]; n != "" {
			codecs[i] = n
		}
		if !contains(b.codecs, codecs[i]) && codecs[i] != "telephone-event" {
			b.codecs = append(b.codecs, codecs[i])
		}
	}
	return fmt.Sprintf(media, addr) + " " + strings.Join(codecs, ",") + " " + direction
}

func rtcpLabel(payload []byte) string {
	var r struct {
		Blocks []struct {
			Fraction int     `json:"fraction_lost"`
			Jitter   float64 `json:"ia_jitter"`
		} `json:"report_blocks"`
	}
	if json.Unmarshal(payload, &r) != nil || len(r.Blocks) == 0 {
		return "RTCP"
	}
	return fmt.Sprintf("RTCP loss %.1f %% jitter %.1f ms", float64(r.Blocks[0].Fraction)/2.56, r.Blocks[0].Jitter/8)
}

func contains(list []string, s string) bool {
	for _, v := range list {
		if v == s {
			return true
		}
	}
	return false
}
