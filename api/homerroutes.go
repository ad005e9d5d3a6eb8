package api

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/heplake/heplake/query"
)

// This file speaks with Homer's own clients. They take 201 for a good answer,
// and read message of a bad one; see homerProblem.

// messageRow is a message as a row of Homer's search.
type messageRow struct {
	ID            uint64 `json:"id"`
	UUID          uint64 `json:"uuid"`
	SID           string `json:"sid"`
	CallID        string `json:"callid"`
	CorrelationID string `json:"correlation_id"`
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
	SrcIP         string `json:"srcIp"`
	SrcPort       uint16 `json:"srcPort"`
	DstIP         string `json:"dstIp"`
	DstPort       uint16 `json:"dstPort"`
	AliasSrc      string `json:"aliasSrc"`
	AliasDst      string `json:"aliasDst"`
	Protocol      int    `json:"protocol"`
	Family        int    `json:"protocolFamily"`
	PayloadType   int    `json:"payloadType"`
	CaptureID     string `json:"captureId"`
	TimeSeconds   int64  `json:"timeSeconds"`
	TimeUseconds  int    `json:"timeUseconds"`
	CreateDate    int64  `json:"create_date"`
	Node          string `json:"node"`
	DBNode        string `json:"dbnode"`
	Table         string `json:"table"`
}

// wholeMessage is a message as Homer's clients show it by itself.
type wholeMessage struct {
	messageRow
	CreateTS int64  `json:"create_ts"`
	MicroTS  int64  `json:"micro_ts"`
	Raw      string `json:"raw"`
}

// rows is an answer of Homer's: rows, and the names of their members.
type rows[T any] struct {
	Total int      `json:"total"`
	Data  []T      `json:"data"`
	Keys  []string `json:"keys"`
}

func (s *server) newMessageRow(m query.Message) messageRow {
	row := messageRow{
		ID: m.ID, UUID: m.ID, SID: m.CallID, CallID: m.CallID, CorrelationID: m.CorrelationID, Method: m.Method, CSeq: fmt.Sprintf("%d %s", m.CSeq, m.CSeqMethod),
		FromUser: m.FromUser, FromDomain: m.FromDomain, FromTag: m.FromTag, ToUser: m.ToUser, ToDomain: m.ToDomain, ToTag: m.ToTag,
		RURIUser: m.RURIUser, RURIDomain: m.RURIDomain, UserAgent: m.UserAgent,
		SrcIP: address(m.SrcIP), SrcPort: m.SrcPort, DstIP: address(m.DstIP), DstPort: m.DstPort,
		AliasSrc: s.alias(m.SrcIP, m.SrcPort), AliasDst: s.alias(m.DstIP, m.DstPort),
		Protocol: ipProtocol(m.Transport), Family: family(m.SrcIP), PayloadType: payloadSIP, CaptureID: strconv.FormatUint(uint64(m.CaptureID), 10),
		TimeSeconds: m.Time.Unix(), TimeUseconds: m.Time.Nanosecond() / 1000, CreateDate: m.Time.UnixMilli(),
		Node: cmp.Or(m.Node, dbNode), DBNode: dbNode, Table: "hep_proto_" + profileOf(m.CSeqMethod),
	}
	if m.Status != 0 {
		row.Method = strconv.Itoa(int(m.Status))
	}
	return row
}

// homerSearch answers POST /api/v3/search/call/data: messages, oldest first.
func (s *server) homerSearch(w http.ResponseWriter, r *http.Request) error {
	body, err := readBody(w, r)
	if err != nil {
		return homerProblem(err)
	}
	answer := rows[messageRow]{Data: []messageRow{}, Keys: []string{}}
	req, err := searchFromBody(body, time.Now())
	var unknown *unknownProfile
	switch {
	case errors.As(err, &unknown):
		// Homer finds nothing in a profile that is not there.
		return writeJSON(w, jsonType, http.StatusCreated, answer)
	case err != nil:
		return homerProblem(err)
	}
	res, err := s.askMessages(r.Context(), query.MessagesRequest{Filter: req.Filter, From: req.From, To: req.To, Limit: req.Limit, Oldest: true})
	if err != nil {
		return homerProblem(err)
	}
	for _, m := range res.Messages {
		answer.Data = append(answer.Data, s.newMessageRow(m))
	}
	if answer.Total = len(answer.Data); answer.Total > 0 {
		answer.Keys = messageRowKeys
	}
	if res.Truncated != "" {
		w.Header().Set(truncatedHeader, res.Truncated)
	}
	return writeJSON(w, jsonType, http.StatusCreated, answer)
}

// truncatedHeader says what cut an answer whose shape has no room for it.
const truncatedHeader = "X-Heplake-Truncated"

// homerIDs is what Homer's clients say of the calls or messages they want:
// param.search is {"1_call": {"id": …, "callid": […], "uuid": […]}}.
type homerIDs struct {
	from, to time.Time
	callIDs  []string
	ids      []uint64
}

// errNoIDs says that a request names nothing.
var errNoIDs = bad("/param/search", "param.search names no callid, id or uuid")

// readIDs reads such a request.
func readIDs(w http.ResponseWriter, r *http.Request) (homerIDs, error) {
	var out homerIDs
	body, err := readBody(w, r)
	if err != nil {
		return out, err
	}
	var b searchBody
	if err := json.Unmarshal(body, &b); err != nil {
		return out, badJSON(err)
	}
	if out.from, out.to, err = b.window(time.Now()); err != nil {
		return out, err
	}
	for _, key := range sortedKeys(b.Param.Search) {
		pointer := "/param/search/" + escapePointer(key)
		if _, ok := profiles[key]; isProfile.MatchString(key) && !ok {
			return out, &unknownProfile{bad(pointer, fmt.Sprintf("invalid search profile key: %q", key))}
		}
		raw := b.Param.Search[key]
		if !isProfile.MatchString(key) {
			// {"uuid": […]} stands without a profile as well.
			raw = json.RawMessage(`{` + strconv.Quote(key) + `:` + string(raw) + `}`)
		}
		var one struct {
			ID     scalar   `json:"id"`
			UUID   []scalar `json:"uuid"`
			CallID []string `json:"callid"`
			SID    []string `json:"sid"`
		}
		if err := json.Unmarshal(raw, &one); err != nil {
			return out, bad(pointer, `takes {"id": …, "callid": […], "uuid": […]}`)
		}
		for _, id := range append(one.CallID, one.SID...) {
			if err := checkID(id); err != nil {
				return out, bad(pointer+"/callid", err.Error())
			}
			if !slices.Contains(out.callIDs, id) {
				out.callIDs = append(out.callIDs, id)
			}
		}
		for _, v := range append(one.UUID, one.ID) {
			if !v.set || v.text == "0" || v.text == "" {
				continue
			}
			id, err := strconv.ParseUint(v.text, 10, 64)
			if err != nil {
				return out, bad(pointer+"/id", fmt.Sprintf("an id is a whole number, not %q", v.text))
			}
			if !slices.Contains(out.ids, id) {
				out.ids = append(out.ids, id)
			}
		}
	}
	if len(out.callIDs) > maxCalls || len(out.ids) > maxCalls {
		return out, bad("/param/search", fmt.Sprintf("at most %d calls or messages are shown at a time", maxCalls))
	}
	return out, nil
}

// maxCalls is how many calls or messages Homer's clients may ask for at a time.
const maxCalls = 100

// homerMessage answers POST /api/v3/search/call/message.
func (s *server) homerMessage(w http.ResponseWriter, r *http.Request) error {
	ids, err := readIDs(w, r)
	if err == nil && len(ids.ids) == 0 {
		err = errNoIDs
	}
	if err != nil {
		return homerProblem(err)
	}
	req := query.MessagesRequest{IDs: ids.ids, From: ids.from, To: ids.to, Oldest: true, Raw: true}
	if len(ids.callIDs) > 0 { // which an index finds
		req.Filter, _ = join([]condition{{expr: "call_id in (" + quoteAll(ids.callIDs) + ")"}}, false)
	}
	res, err := s.askMessages(r.Context(), req)
	if err != nil {
		return homerProblem(err)
	}
	answer := rows[wholeMessage]{Data: []wholeMessage{}, Keys: []string{}}
	for _, m := range res.Messages {
		answer.Data = append(answer.Data, wholeMessage{s.newMessageRow(m), m.Time.UnixMilli(), m.Time.UnixMicro(), m.Raw})
	}
	if answer.Total = len(answer.Data); answer.Total > 0 {
		answer.Keys = wholeMessageKeys
	}
	return writeJSON(w, jsonType, http.StatusCreated, answer)
}

// homerFlows asks for the flows of a request, each once.
func (s *server) homerFlows(w http.ResponseWriter, r *http.Request) ([]*query.Flow, error) {
	ids, err := readIDs(w, r)
	if err == nil && len(ids.callIDs) == 0 {
		err = errNoIDs
	}
	if err != nil {
		return nil, err
	}
	var out []*query.Flow
	seen := map[string]bool{}
	for _, id := range ids.callIDs {
		if seen[id] {
			continue
		}
		f, err := s.askFlow(r.Context(), id, query.FlowRequest{From: ids.from, To: ids.to, Media: true, Events: true})
		if errors.Is(err, query.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		seen[id] = true
		for _, leg := range f.Legs {
			seen[leg.CallID] = true
		}
		out = append(out, f)
	}
	return out, nil
}

// homerTransaction answers POST /api/v3/call/transaction.
func (s *server) homerTransaction(w http.ResponseWriter, r *http.Request) error {
	flows, err := s.homerFlows(w, r)
	if err != nil {
		return homerProblem(err)
	}
	answer := newTransaction(&query.Flow{})
	if len(flows) > 0 {
		answer = newTransaction(flows[0])
	}
	for _, f := range flows[min(1, len(flows)):] {
		answer.add(newTransaction(f))
	}
	return writeJSON(w, jsonType, http.StatusCreated, answer)
}

// homerProblem makes an error one that Homer's clients can read as well.
func homerProblem(err error) error {
	p := asProblem(err)
	p.Message, p.Data = p.Detail, &struct{}{}
	return p
}
