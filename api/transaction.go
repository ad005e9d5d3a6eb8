package api

import (
	"cmp"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"time"

	"github.com/heplake/heplake/query"
)

// HEP protocol types, which Homer calls payload types.
const (
	payloadSIP       = 1
	payloadRTCP      = 5
	payloadRTPReport = 35
	payloadLog       = 100
)

// transactionAnswer is a call's messages, as Homer's clients know it.
type transactionAnswer struct {
	// Total is the number of messages.
	Total int             `json:"total"`
	Keys  []string        `json:"keys"`
	Data  transactionData `json:"data"`
}

type transactionData struct {
	// Messages are the records themselves, CallData the arrows of the ladder, one
	// for each and in the same order.
	Messages []message `json:"messages"`
	CallData []arrow   `json:"calldata"`
	// Hosts are the ladder's columns by address, Alias their names.
	Hosts map[string]host   `json:"hosts"`
	Alias map[string]string `json:"alias"`
	// Call, Legs and Truncated are ours: the call's figures, its Call-IDs and why
	// each belongs to it, and what limit cut the messages, if any.
	Call      query.Call  `json:"call"`
	Legs      []query.Leg `json:"legs"`
	Truncated string      `json:"truncated"`
}

type host struct {
	Host     []string `json:"host"`
	Position int      `json:"position"`
}

// message is a record by Homer's names. The SIP members are empty on others.
type message struct {
	ID            uint64 `json:"id"`
	SID           string `json:"sid"`
	CallID        string `json:"callid"`
	CorrelationID string `json:"correlation_id"`
	Profile       string `json:"profile"`
	Proto         string `json:"proto"`
	PayloadType   int    `json:"payloadType"`
	Protocol      int    `json:"protocol"`
	Family        int    `json:"protocolFamily"`
	Transport     string `json:"transport"`
	SrcIP         string `json:"srcIp"`
	SrcPort       uint16 `json:"srcPort"`
	DstIP         string `json:"dstIp"`
	DstPort       uint16 `json:"dstPort"`
	TimeSeconds   int64  `json:"timeSeconds"`
	TimeUseconds  int    `json:"timeUseconds"`
	CreateDate    int64  `json:"create_date"`
	CreateTS      int64  `json:"create_ts"`
	MicroTS       int64  `json:"micro_ts"`
	CaptureID     string `json:"captureId"`
	Node          string `json:"node"`
	DBNode        string `json:"dbnode"`
	Method        string `json:"method"` // or the status, on a response
	CSeq          string `json:"cseq"`
	FromUser      string `json:"from_user"`
	FromDomain    string `json:"from_domain"`
	FromTag       string `json:"from_tag"`
	ToUser        string `json:"to_user"`
	ToDomain      string `json:"to_domain"`
	ToTag         string `json:"to_tag"`
	RURIUser      string `json:"ruri_user"`
	RURIDomain    string `json:"ruri_domain"`
	UserAgent     string `json:"user_agent"`
	Raw           string `json:"raw"`
}

// arrow is one arrow of Homer's ladder.
type arrow struct {
	ID          uint64 `json:"id"`
	SID         string `json:"sid"`
	SrcHost     string `json:"srcHost"`
	DstHost     string `json:"dstHost"`
	SrcID       string `json:"srcId"`
	DstID       string `json:"dstId"`
	SrcIP       string `json:"srcIp"`
	DstIP       string `json:"dstIp"`
	SrcPort     uint16 `json:"srcPort"`
	DstPort     uint16 `json:"dstPort"`
	AliasSrc    string `json:"aliasSrc"`
	AliasDst    string `json:"aliasDst"`
	Method      string `json:"method"`
	MethodText  string `json:"method_text"`
	CreateDate  int64  `json:"create_date"`
	MicroTS     int64  `json:"micro_ts"`
	Protocol    int    `json:"protocol"`
	MsgColor    string `json:"msg_color"`
	Table       string `json:"table"`
	RURIUser    string `json:"ruri_user"` // the beginning of the record, as in Homer
	Destination int    `json:"destination"`
}

// transaction answers GET /api/v3/call/transaction/{callid}.
func (s *server) transaction(w http.ResponseWriter, r *http.Request) error {
	p := newParams(r.URL, time.Now())
	_ = p.timeZone()
	req := query.FlowRequest{From: p.time("from"), To: p.time("to"), MaxMessages: p.count("limit", query.MaxFlowMessages), Media: true, Events: true}
	if err := p.check(); err != nil {
		return err
	}
	f, err := s.askFlow(r.Context(), r.PathValue("callid"), req)
	if err != nil {
		return err
	}
	return writeJSON(w, jsonType, http.StatusOK, newTransaction(f))
}

func newTransaction(f *query.Flow) transactionAnswer {
	// A host's column is that of its first address; its further ones are listed in it.
	a := transactionAnswer{Total: len(f.Items), Keys: messageKeys, Data: transactionData{
		Messages: []message{}, CallData: []arrow{}, Hosts: map[string]host{}, Alias: map[string]string{},
		Call: f.Call, Legs: f.Legs, Truncated: f.Truncated,
	}}
	for i, p := range f.Participants {
		a.Data.Hosts[p.Address] = host{Host: p.Addresses, Position: i}
		// A client may draw hosts of one name as one, so user agents are no names here.
		a.Data.Alias[p.Address] = cmp.Or(p.Alias, p.Address)
	}
	for _, item := range f.Items {
		m := newMessage(f, item)
		a.Data.Messages = append(a.Data.Messages, m)
		a.Data.CallData = append(a.Data.CallData, newArrow(f, item, m))
	}
	return a
}

// add puts another flow's messages among a transaction's, in order of time, and
// its hosts behind those that are there.
func (a *transactionAnswer) add(b transactionAnswer) {
	d := &a.Data
	place := map[int]int{}
	for _, name := range sortedKeys(b.Data.Hosts) {
		h := b.Data.Hosts[name]
		known, ok := d.Hosts[name]
		if !ok {
			known = host{Host: h.Host, Position: len(d.Hosts)}
			d.Hosts[name], d.Alias[name] = known, b.Data.Alias[name]
		}
		place[h.Position] = known.Position
	}
	for i := range b.Data.CallData {
		b.Data.CallData[i].Destination = place[b.Data.CallData[i].Destination]
	}
	d.Messages, d.CallData = append(d.Messages, b.Data.Messages...), append(d.CallData, b.Data.CallData...)
	slices.SortStableFunc(d.Messages, func(x, y message) int { return cmp.Compare(x.MicroTS, y.MicroTS) })
	slices.SortStableFunc(d.CallData, func(x, y arrow) int { return cmp.Compare(x.MicroTS, y.MicroTS) })
	d.Legs = append(d.Legs, b.Data.Legs...)
	d.Truncated = cmp.Or(d.Truncated, b.Data.Truncated)
	a.Total = len(d.Messages)
}

func newMessage(f *query.Flow, item query.Item) message {
	src, dst := item.SrcAddr, item.DstAddr
	m := message{
		ID: item.ID, SID: item.CallID, CallID: item.CallID, CorrelationID: f.Call.CorrelationID,
		Protocol: ipProtocol(item.Transport), Family: family(src.Addr()), Transport: item.Transport,
		SrcIP: address(src.Addr()), SrcPort: src.Port(), DstIP: address(dst.Addr()), DstPort: dst.Port(),
		TimeSeconds: item.Time.Unix(), TimeUseconds: item.Time.Nanosecond() / 1000,
		CreateDate: item.Time.UnixMilli(), CreateTS: item.Time.UnixMilli(), MicroTS: item.Time.UnixMicro(),
		CaptureID: strconv.FormatUint(uint64(item.CaptureID), 10), Node: cmp.Or(item.Node, dbNode), DBNode: dbNode,
		FromUser: item.FromUser, FromDomain: item.FromDomain, FromTag: item.FromTag, ToUser: item.ToUser, ToDomain: item.ToDomain, ToTag: item.ToTag,
		RURIUser: item.RURIUser, RURIDomain: item.RURIDomain, UserAgent: item.UserAgent, Raw: item.Raw,
	}
	if m.ID == 0 { // a media report or a log line
		m.ID = rowID(string(item.Kind), item.CallID, item.Time.Format(time.RFC3339Nano), strconv.Itoa(item.Index))
	}
	switch item.Kind {
	case query.KindMedia:
		m.Profile, m.Proto, m.PayloadType, m.Method = "5_default", "rtcp", payloadRTCP, "RTCP"
	case query.KindEvent:
		m.Profile, m.Proto, m.PayloadType, m.Method = "100_default", "log", payloadLog, "LOG"
	default:
		m.Profile, m.Proto, m.PayloadType, m.Method = profileOf(item.CSeqMethod), "sip", payloadSIP, item.Method
		m.CSeq = strconv.FormatUint(uint64(item.CSeq), 10) + " " + item.CSeqMethod
		if item.Status != 0 {
			m.Method = strconv.Itoa(int(item.Status))
		}
	}
	return m
}

// maxExcerpt is how much of a record an arrow quotes, in characters.
const maxExcerpt = 50

func newArrow(f *query.Flow, item query.Item, m message) arrow {
	src, dst := f.Participants[item.Src].Address, f.Participants[item.Dst].Address
	return arrow{
		ID: m.ID, SID: m.SID, SrcHost: m.SrcIP, DstHost: m.DstIP, SrcID: src, DstID: dst,
		SrcIP: m.SrcIP, DstIP: m.DstIP, SrcPort: m.SrcPort, DstPort: m.DstPort, AliasSrc: src, AliasDst: dst,
		Method: m.Method, MethodText: cmp.Or(item.Label, m.Method), CreateDate: m.CreateDate, MicroTS: m.MicroTS,
		Protocol: m.Protocol, MsgColor: color(item), Table: "hep_proto_" + m.Profile, RURIUser: excerpt(item.Raw), Destination: item.Dst,
	}
}

// color is the colour of an arrow: red for what failed, green for what went
// well, blue for the rest.
func color(item query.Item) string {
	switch {
	case item.Status >= 400:
		return "red"
	case item.Status >= 200 && item.Status < 300:
		return "green"
	default:
		return "blue"
	}
}

// excerpt is the beginning of a record.
func excerpt(raw string) string {
	n := 0
	for i := range raw {
		if n++; n > maxExcerpt {
			return raw[:i]
		}
	}
	return raw
}

// ipProtocol is the IP protocol number beneath a SIP transport; 0 when unknown.
func ipProtocol(transport string) int {
	switch transport {
	case "udp":
		return 17
	case "tcp", "tls", "ws", "wss":
		return 6
	case "sctp":
		return 132
	}
	return 0
}

// messageKeys are the names of a message's members, in order.
var messageKeys = jsonNames(reflect.TypeFor[message]())
