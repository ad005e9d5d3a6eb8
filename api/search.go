package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"net/http"
	"net/netip"
	"reflect"
	"strings"
	"time"

	"github.com/heplake/heplake/query"
)

// searchBody is what clients send to search. Members that are not listed
// (config, location, timezone, …) are Homer's own affair and are ignored.
type searchBody struct {
	Timestamp struct {
		From scalar `json:"from"`
		To   scalar `json:"to"`
	} `json:"timestamp"`
	Param struct {
		// Search is {"call_id": "…", "from_user": "…"}, or Homer's
		// {"1_call": [{"name": …, "value": …}]}.
		Search  map[string]json.RawMessage `json:"search"`
		Limit   scalar                     `json:"limit"`
		OrLogic bool                       `json:"orlogic"`
	} `json:"param"`
}

// searchAnswer is the answer to a search, as Homer's clients know it.
type searchAnswer struct {
	// Total is the number of rows in Data.
	Total int       `json:"total"`
	Data  []callRow `json:"data"`
	// Keys are the names of a row's members; none when there is no row.
	Keys []string `json:"keys"`
	// Truncated says that there are, or may be, more calls than rows.
	Truncated bool `json:"truncated"`
}

// search answers GET and POST /api/v3/search/call. The search stands in the JSON
// body of either, or in the query string: from, to, limit, orlogic, filter, and
// any field of the filter language.
func (s *server) search(w http.ResponseWriter, r *http.Request) error {
	req, err := searchRequest(w, r, time.Now())
	if err != nil {
		return err
	}
	res, err := ask(r.Context(), s, "calls", func(ctx context.Context) (query.CallsResult, error) { return s.store.Calls(ctx, req) })
	if err != nil {
		return err
	}
	answer := searchAnswer{Total: len(res.Calls), Data: []callRow{}, Keys: []string{}, Truncated: res.Truncated}
	for _, c := range res.Calls {
		answer.Data = append(answer.Data, newCallRow(c))
	}
	if len(answer.Data) > 0 {
		answer.Keys = callRowKeys
	}
	return writeJSON(w, jsonType, http.StatusOK, answer)
}

// searchRequest reads a search from the body, or without one from the query.
func searchRequest(w http.ResponseWriter, r *http.Request, now time.Time) (query.CallsRequest, error) {
	body, err := readBody(w, r)
	if err != nil {
		return query.CallsRequest{}, err
	}
	if len(body) == 0 {
		return searchFromQuery(r, now)
	}
	if r.URL.RawQuery != "" {
		return query.CallsRequest{}, bad("", "a search stands in the body or in the query string, not in both")
	}
	return searchFromBody(body, now)
}

// readBody reads the body within the bounds of size and time.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	ctl := http.NewResponseController(w)
	_ = ctl.SetReadDeadline(time.Now().Add(bodyTime))
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	// The server goes on reading, to notice when the client leaves.
	_ = ctl.SetReadDeadline(time.Time{})
	var tooLarge *http.MaxBytesError
	if err != nil && !errors.As(err, &tooLarge) {
		return nil, bad("", "the request body did not arrive: "+err.Error())
	}
	return bytes.TrimSpace(body), err
}

func searchFromBody(body []byte, now time.Time) (query.CallsRequest, error) {
	var b searchBody
	if err := json.Unmarshal(body, &b); err != nil {
		return query.CallsRequest{}, badJSON(err)
	}
	var req query.CallsRequest
	var err error
	if req.From, req.To, err = b.window(now); err != nil {
		return req, err
	}
	expr, limit, err := readSearch(b.Param.Search, b.Param.OrLogic)
	if err != nil {
		return req, err
	}
	req.Filter = expr
	if b.Param.Limit.set {
		limit = setting{"/param/limit", b.Param.Limit.text}
	}
	if limit.text != "" {
		if req.Limit, err = parseCount(limit.text, query.MaxCalls); err != nil {
			return req, bad(limit.pointer, "limit "+err.Error())
		}
	}
	return req, nil
}

// window reads the timestamps; the zero time where there is none.
func (b *searchBody) window(now time.Time) (from, to time.Time, err error) {
	for _, at := range []struct {
		name string
		from scalar
		to   *time.Time
	}{{"from", b.Timestamp.From, &from}, {"to", b.Timestamp.To, &to}} {
		if !at.from.set || at.from.text == "" {
			continue
		}
		t, err := parseTime(at.from.text, now)
		if err != nil {
			return from, to, bad("/timestamp/"+at.name, "timestamp."+at.name+": "+err.Error())
		}
		*at.to = t
	}
	return from, to, nil
}

// badJSON says what is wrong with a body.
func badJSON(err error) error {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return bad("", fmt.Sprintf("the body is not JSON: %v at byte %d", syntax, syntax.Offset))
	case errors.As(err, &kind) && kind.Field == "":
		return bad("", "the body is a JSON "+kind.Value+", not an object")
	case errors.As(err, &kind):
		return bad("/"+strings.ReplaceAll(kind.Field, ".", "/"), fmt.Sprintf("%s is a JSON %s, which does not go there", kind.Field, kind.Value))
	default:
		return bad("", "the body cannot be read: "+err.Error())
	}
}

func searchFromQuery(r *http.Request, now time.Time) (query.CallsRequest, error) {
	p := newParams(r.URL, now)
	zone := p.timeZone()
	req := query.CallsRequest{From: p.time("from"), To: p.time("to"), Zone: zone, Limit: p.count("limit", query.MaxCalls)}
	or := p.flag("orlogic", false)
	var conditions []condition
	if f := p.text("filter"); f != "" {
		conditions = append(conditions, condition{parameter: "filter", name: "filter", expr: f, whole: true})
	}
	if p.err != nil {
		return req, p.err
	}
	for _, name := range sortedKeys(p.values) {
		switch name {
		case "from", "to", "tz", "limit", "orlogic", "filter":
			continue
		}
		c, err := fieldCondition(name, name, p.values[name])
		if err != nil {
			return req, err
		}
		conditions = append(conditions, c)
	}
	var err error
	req.Filter, err = join(conditions, or)
	return req, err
}

// callRow is a row of a search: a call by our names, and by those of Homer's
// rows that its clients read. Homer has a row for each message; a row here is a
// call, and what a message alone has is that of its opening request.
type callRow struct {
	query.Call

	// ID and UUID are one number, the same whenever the call is found; exact in
	// the floating-point numbers of JavaScript.
	ID   uint64 `json:"id"`
	UUID uint64 `json:"uuid"`
	// SID and CallID are the Call-ID of the leg that began first.
	SID    string `json:"sid"`
	CallID string `json:"callid"`
	// SourceIP, … are the opening request's addresses. They are in src_ip as well;
	// the fields' own names differ, lest they hide those of the call.
	SourceIP     string `json:"srcIp"`
	SourcePort   uint16 `json:"srcPort"`
	DestIP       string `json:"dstIp"`
	DestPort     uint16 `json:"dstPort"`
	AliasSrc     string `json:"aliasSrc"`
	AliasDst     string `json:"aliasDst"`
	Family       int    `json:"protocolFamily"` // 2 for IPv4, 10 for IPv6, as in Linux
	PayloadType  int    `json:"payloadType"`    // 1: SIP
	CreateDate   int64  `json:"create_date"`    // start in ms since the epoch
	TimeSeconds  int64  `json:"timeSeconds"`
	TimeUseconds int    `json:"timeUseconds"`
	UserAgent    string `json:"user_agent"` // one of those named
	Node         string `json:"node"`       // one of the capture agents
	DBNode       string `json:"dbnode"`
	// Table is what Homer's table would be: hep_proto_1_call, _registration or _default.
	Table string `json:"table"`
}

// dbNode is the name of the one database that Homer's clients choose from.
const dbNode = "localnode"

func newCallRow(c query.Call) callRow {
	row := callRow{
		Call: c, ID: rowID(c.Tenant, c.CorrelationID), SID: first(c.CallIDs), CallID: first(c.CallIDs),
		SourceIP: address(c.SrcIP), SourcePort: c.SrcPort, DestIP: address(c.DstIP), DestPort: c.DstPort,
		AliasSrc: addrPort(c.SrcIP, c.SrcPort), AliasDst: addrPort(c.DstIP, c.DstPort),
		Family: family(c.SrcIP), PayloadType: payloadSIP,
		CreateDate: c.Start.UnixMilli(), TimeSeconds: c.Start.Unix(), TimeUseconds: c.Start.Nanosecond() / 1000,
		UserAgent: first(c.UserAgents), Node: first(c.Nodes), DBNode: dbNode, Table: "hep_proto_" + profileOf(c.Method),
	}
	row.UUID = row.ID
	return row
}

// callRowKeys are the names of a row's members, in order.
var callRowKeys = jsonNames(reflect.TypeFor[callRow]())

// jsonNames lists the names that a struct's fields have in JSON.
func jsonNames(t reflect.Type) []string {
	var names []string
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name != "" && name != "-" {
			names = append(names, name)
		}
	}
	return names
}

// rowID is a number for a call: 53 bits of a hash.
func rowID(parts ...string) uint64 {
	h := fnv.New64a()
	for _, p := range parts {
		_, _ = io.WriteString(h, p)
		_, _ = h.Write([]byte{0})
	}
	return h.Sum64() >> 11
}

func first(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

// address writes an address as people do; "" when there is none.
func address(a netip.Addr) string {
	if !a.IsValid() || a.IsUnspecified() {
		return ""
	}
	return a.Unmap().String()
}

func addrPort(a netip.Addr, port uint16) string {
	if address(a) == "" {
		return ""
	}
	return netip.AddrPortFrom(a.Unmap(), port).String()
}

// family is the address family as Linux numbers it.
func family(a netip.Addr) int {
	if a.Unmap().Is4() {
		return 2
	}
	return 10
}
