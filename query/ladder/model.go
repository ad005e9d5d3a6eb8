package ladder

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/heplake/heplake/query"
)

// largeGap is the silence before a row from which the ladder shows a break.
const largeGap = time.Second

// class is what a row means to the reader; it decides the row's colour.
type class int

const (
	classRequest class = iota
	classProvisional
	classSuccess
	classNotice  // redirects, authentication challenges, the 487 of a cancelled call
	classFailure // every other final failure, and what would not parse
	classMedia
	classEvent
)

// column is a participant that has a lifeline.
type column struct {
	name, address string
	host, port    string // the address in two parts; an IPv6 host keeps its brackets
}

// row is one item, ready to be drawn.
type row struct {
	item     *query.Item
	src, dst int // columns
	class    class
	method   string // what of text is the request method, "" on all else
	text     string // on the arrow
	cseq     string // "#2", "(BYE)", "" where the flow has nothing to mix up
	resent   int    // how many times this message was sent before
	gap      time.Duration
	// hop is the true address pair of a row drawn between other columns.
	hop string
}

// model is a flow, ready to be laid out.
type model struct {
	flow       *query.Flow
	columns    []column
	rows       []row
	manyWires  bool // several transports: each row says its own
	anyResent  bool
	anyCopy    bool
	anySDP     bool
	manyAgents bool
}

// build prepares a flow for drawing.
func build(f *query.Flow) *model {
	m := &model{flow: f}
	at := m.placeParticipants()
	cseqs := countCSeqs(f.Items)
	sent := map[string]int{}
	transports, nodes := map[string]bool{}, map[string]bool{}
	for i := range f.Items {
		it := &f.Items[i]
		r := row{item: it, src: at(it.Src), dst: at(it.Dst), class: classOf(it)}
		r.text = clean(it.Label)
		switch it.Kind {
		case query.KindSIP:
			if it.Method != "" && strings.HasPrefix(r.text, it.Method) {
				r.method = it.Method
			}
			r.cseq = cseqHint(it, f.Call.Method, cseqs)
			key := fmt.Sprint(it.Src, it.Dst, it.Leg, it.Method, it.Status, it.CSeq, it.CSeqMethod)
			if it.Retransmission {
				sent[key]++
				r.resent = sent[key]
			}
			transports[it.Transport], nodes[agentName(it)] = true, true
			m.anyResent = m.anyResent || it.Retransmission
			m.anyCopy = m.anyCopy || it.Copy
			m.anySDP = m.anySDP || it.SDP != ""
		case query.KindMedia:
			if m.folded(it.Src, r.src) || m.folded(it.Dst, r.dst) {
				r.hop = m.addressOf(it.Src) + " → " + m.addressOf(it.Dst)
			}
		}
		if i > 0 {
			if d := it.Time.Sub(f.Items[i-1].Time); d >= largeGap {
				r.gap = d
			}
		}
		m.rows = append(m.rows, r)
	}
	m.manyWires, m.manyAgents = len(transports) > 1, len(nodes) > 1
	return m
}

func (m *model) addressOf(participant int) string {
	if participant < 0 || participant >= len(m.flow.Participants) {
		return "?"
	}
	return clean(m.flow.Participants[participant].Address)
}

func (m *model) folded(participant, column int) bool {
	return m.columns[column].address != m.addressOf(participant)
}

func splitAddress(address string) (host, port string) {
	i := strings.LastIndexByte(address, ':')
	if i < 0 || strings.HasSuffix(address, "]") {
		return address, ""
	}
	return address[:i], address[i:]
}

func classOf(it *query.Item) class {
	switch {
	case it.Kind == query.KindMedia:
		return classMedia
	case it.Kind == query.KindEvent:
		return classEvent
	case it.ParseError != "":
		return classFailure
	case it.Status == 0:
		return classRequest
	case it.Status < 200:
		return classProvisional
	case it.Status < 300:
		return classSuccess
	case it.Status < 400, it.Status == 401, it.Status == 407, it.Status == 487:
		return classNotice
	}
	return classFailure
}

// cseqKey is one direction-less sequence of requests: a leg and a method.
type cseqKey struct {
	leg    int
	method string
}

// countCSeqs tells which CSeq numbers each method of each leg used.
func countCSeqs(items []query.Item) map[cseqKey]map[uint32]bool {
	out := map[cseqKey]map[uint32]bool{}
	for _, it := range items {
		if it.Kind != query.KindSIP || it.CSeqMethod == "" {
			continue
		}
		k := cseqKey{it.Leg, it.CSeqMethod}
		if out[k] == nil {
			out[k] = map[uint32]bool{}
		}
		out[k][it.CSeq] = true
	}
	return out
}

// cseqHint says which request a message belongs to, where its label does not:
// the number when its leg sent that method more than once, and on a response
// the method unless it is the one that opened the call.
func cseqHint(it *query.Item, opening string, cseqs map[cseqKey]map[uint32]bool) string {
	number := ""
	if len(cseqs[cseqKey{it.Leg, it.CSeqMethod}]) > 1 {
		number = "#" + strconv.FormatUint(uint64(it.CSeq), 10)
	}
	if it.Status == 0 || it.CSeqMethod == opening || it.CSeqMethod == "" {
		return number
	}
	method := clean(it.CSeqMethod)
	if number != "" {
		method += " " + number
	}
	return "(" + method + ")"
}

// legName is the letter of a leg: A, B, … Z, A1, B1, … and "" for a row
// without one.
func legName(leg int) string {
	if leg < 0 {
		return ""
	}
	name := string(rune('A' + leg%26))
	if leg >= 26 {
		name += strconv.Itoa(leg / 26)
	}
	return name
}
