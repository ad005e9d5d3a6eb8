package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/heplake/heplake/query"
)

// recorded is a request that was made of a real homer-app 1.5.20, and its answer.
type recorded struct {
	Method, Path string
	Request      json.RawMessage
	Status       int
	Response     map[string]any
}

func readRecorded(t *testing.T, name string) recorded {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "homer", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var r recorded
	if err := json.Unmarshal(b, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// replay sends a recorded request, and returns our answer's body.
func (r recorded) replay(t *testing.T, base, request string) map[string]any {
	t.Helper()
	got := send(t, r.Method, base, r.Path, request)
	if got.status != r.Status {
		t.Fatalf("%s: status %d, recorded %d: %.300s", r.Path, got.status, r.Status, got.body)
	}
	var body map[string]any
	if err := json.Unmarshal(got.body, &body); err != nil {
		t.Fatal(err)
	}
	return body
}

// differing are members that differ on purpose: numbers of rows of their database,
// its aliases (which it gives the wrong address), and the colours of arrows.
var differing = []string{"id", "uuid", "aliasSrc", "aliasDst", "msg_color", "destination", "node", "profile", "table", "correlation_id", "method_text"}

// wantRows checks that each recorded row is among ours, in the same order, with
// every member that it has.
func wantRows(t *testing.T, what string, got, want []any) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d rows, recorded %d", what, len(got), len(want))
	}
	for i := range want {
		g, _ := got[i].(map[string]any)
		for name, value := range want[i].(map[string]any) {
			ours, ok := g[name]
			switch {
			case !ok:
				t.Errorf("%s %d lacks %s", what, i, name)
			case slices.Contains(differing, name):
				if reflect.TypeOf(ours) != reflect.TypeOf(value) && name != "node" {
					t.Errorf("%s %d: %s is %v, recorded %v", what, i, name, ours, value)
				}
			case fmt.Sprint(ours) != fmt.Sprint(value):
				t.Errorf("%s %d: %s is %v, recorded %v", what, i, name, ours, value)
			}
		}
	}
}

func list(v any, path ...string) []any {
	for _, p := range path {
		m, _ := v.(map[string]any)
		v = m[p]
	}
	out, _ := v.([]any)
	return out
}

// byTime sorts rows as ours are, by time; the recorded ones are so but for those of
// the same transaction that came from several tables.
func byTime(rows []any) []any {
	out := slices.Clone(rows)
	slices.SortStableFunc(out, func(a, b any) int {
		at := func(v any) float64 {
			m := v.(map[string]any)
			return m["timeSeconds"].(float64)*1e6 + m["timeUseconds"].(float64)
		}
		return int(at(a) - at(b))
	})
	return out
}

// TestHomersClientsAreServed replays what Homer's clients asked of Homer, over
// the messages it had, and compares the answers.
func TestHomersClientsAreServed(t *testing.T) {
	l := open(t, "../../api/testdata/homer/recorded")

	search := readRecorded(t, "search_call_data_by_callid")
	found := search.replay(t, l.url, string(search.Request))
	wantRows(t, "row", list(found, "data"), byTime(list(search.Response, "data")))
	if found["total"] != search.Response["total"] {
		t.Errorf("total %v, recorded %v", found["total"], search.Response["total"])
	}
	for _, key := range list(search.Response, "keys") {
		if !slices.Contains(list(found, "keys"), key) {
			t.Errorf("keys lack %v", key)
		}
	}

	for _, name := range []string{"search_call_data_no_match", "search_bad_profile", "call_report_log"} {
		r := readRecorded(t, name)
		if got := r.replay(t, l.url, string(r.Request)); !reflect.DeepEqual(got, r.Response) {
			t.Errorf("%s: %v, recorded %v", name, got, r.Response)
		}
	}

	// A client asks for a message by the id that a search gave it.
	message := readRecorded(t, "search_call_message_by_id")
	want := list(message.Response, "data")
	var id string
	for _, row := range list(found, "data") {
		if m := row.(map[string]any); m["timeUseconds"] == want[0].(map[string]any)["timeUseconds"] {
			id = fmt.Sprintf("%.0f", m["id"])
		}
	}
	body := message.replay(t, l.url, strings.ReplaceAll(string(message.Request), "2610488", id))
	wantRows(t, "message", list(body, "data"), want)

	transaction := readRecorded(t, "call_transaction")
	body = transaction.replay(t, l.url, string(transaction.Request))
	messages := list(transaction.Response, "data", "messages")
	wantRows(t, "message of the transaction", byTime(list(body, "data", "messages")), byTime(messages))
	if body["total"] != transaction.Response["total"] || len(list(body, "data", "calldata")) != len(messages) {
		t.Errorf("total %v, %d arrows", body["total"], len(list(body, "data", "calldata")))
	}
	for _, arrow := range list(body, "data", "calldata") {
		for name := range list(transaction.Response, "data", "calldata")[0].(map[string]any) {
			if _, ok := arrow.(map[string]any)[name]; !ok {
				t.Errorf("an arrow lacks %s", name)
			}
		}
	}

	qos := readRecorded(t, "call_report_qos")
	body = qos.replay(t, l.url, string(qos.Request))
	wantRows(t, "RTCP report", list(body, "rtcp", "data"), byTime(list(qos.Response, "rtcp", "data")))
	if len(list(body, "rtp", "data")) != len(list(qos.Response, "rtp", "data")) {
		t.Errorf("RTP reports: %v", list(body, "rtp", "data"))
	}
}

// TestHomersErrors: a bad request has Homer's status, and says what is wrong where
// its clients look as well as where ours do.
func TestHomersErrors(t *testing.T) {
	l := open(t)
	for _, c := range []struct {
		path, body string
		status     int
		detail     string
	}{
		{"/api/v3/search/call/data", `"not an object"`, 400, "not an object"},
		{"/api/v3/search/call/data", `{"param":{"search":{"1_call":[{"name":"data_header.colour","value":"x"}]}}}`, 400, "colour"},
		{"/api/v3/call/transaction", `{"param":{"search":{"9_nosuch":{"callid":["x"]}}}}`, 400, `"9_nosuch"`},
		{"/api/v3/call/transaction", `{"param":{"search":{"1_call":{"id":5}}}}`, 400, "names no callid"},
		{"/api/v3/call/transaction", `{}`, 400, "names no callid"},
		{"/api/v3/search/call/message", `{"param":{"search":{"1_call":{"callid":["x"]}}}}`, 400, "names no callid, id or uuid"},
		{"/api/v3/search/call/message", `{"param":{"search":{"1_call":{"id":"five"}}}}`, 400, "whole number"},
		{"/api/v3/call/report/qos", `{"param":{"search":{"1_call":{"callid":"x"}}}}`, 400, "takes"},
		{"/api/v3/call/report/log", `{"timestamp":{"from":"noon"}}`, 400, "noon"},
	} {
		r := send(t, http.MethodPost, l.url, c.path, c.body)
		var p struct {
			problem
			Data map[string]any `json:"data"`
		}
		if err := json.Unmarshal(r.body, &p); err != nil {
			t.Fatal(err)
		}
		if r.status != c.status || p.Message == "" || p.Message != p.Detail || p.Data == nil || p.RequestID == "" || !strings.Contains(p.Detail, c.detail) {
			t.Errorf("%s %s: status %d, %s", c.path, c.body, r.status, r.body)
		}
	}
	for _, path := range []string{"/api/v3/mapping/protocol/9/x", "/api/v3/smart/search/tag/9/x"} {
		if r := get(t, l.url, path); r.status != 404 {
			t.Errorf("%s: status %d", path, r.status)
		}
	}
	// A call that is not there is an empty transaction, as with Homer.
	r := send(t, http.MethodPost, l.url, "/api/v3/call/transaction", `{"param":{"search":{"1_call":{"callid":["nobody"]}}}}`)
	if r.status != 201 || !strings.Contains(string(r.body), `"messages":[]`) {
		t.Errorf("status %d, %s", r.status, r.body)
	}
}

// TestHomersLists: what clients build their forms of.
func TestHomersLists(t *testing.T) {
	l := open(t, "kamailio-hep3-udp-sip-failures-a")
	var m counted[mapping]
	r := get(t, l.url, "/api/v3/mapping/protocol/1/call")
	if err := json.Unmarshal(r.body, &m); err != nil || r.status != 200 || m.Count != 1 || m.Data[0].Profile != "call" || m.Data[0].HEPID != 1 {
		t.Fatalf("status %d, %v, %.300s", r.status, err, r.body)
	}
	// Every field of the form can be asked for.
	for _, f := range m.Data[0].FieldsMapping {
		value := "1"
		if strings.Contains(f.ID, "Ip") || strings.HasSuffix(f.ID, "ip") {
			value = "127.0.0.1"
		}
		body := fmt.Sprintf(`{"param":{"search":{"1_call":[{"name":%q,"value":%q}]}},"timestamp":{"from":1795219200000,"to":1795305600000}}`, f.ID, value)
		if strings.HasSuffix(f.ID, ".time") {
			continue // the window asks for times
		}
		if r := send(t, http.MethodPost, l.url, "/api/v3/search/call/data", body); r.status != 201 {
			t.Errorf("%s: %d %s", f.ID, r.status, r.body)
		}
	}
	var tags tagAnswer
	r = get(t, l.url, `/api/v3/smart/search/tag/1/call?query={"data":"sip."}`)
	if err := json.Unmarshal(r.body, &tags); err != nil || !slices.Contains(tags.Data.Data, tag{"sip.from_user", "data_header.from_user"}) || !slices.Contains(tags.Data.Data, tag{"net.srcIp", "protocol_header.srcIp"}) {
		t.Errorf("tags %v, %v", tags, err)
	}
	for path, want := range map[string]string{
		"/api/v3/alias": `{"data":[]}`, "/api/v3/database/node/list": `{"count":1,"data":[{"value":"localnode","name":"LocalNode"}]}`,
		"/api/v3/modules/status": `"enable":false`,
	} {
		if r := get(t, l.url, path); !strings.Contains(string(r.body), want) {
			t.Errorf("%s: %s", path, r.body)
		}
	}
}

// TestAliasesAreShown: names of addresses, as Homer's clients ask for them.
func TestAliasesAreShown(t *testing.T) {
	names, err := query.ParseAliases([]string{"10.0.0.1:5060=sbc", "10.1.0.0/16=office"})
	if err != nil {
		t.Fatal(err)
	}
	var a aliasAnswer
	r := get(t, serve(t, Config{Store: failing(nil), Aliases: names}), "/api/v3/alias")
	if err := json.Unmarshal(r.body, &a); err != nil || r.status != 201 || len(a.Data) != 2 {
		t.Fatalf("status %d, %v, %s", r.status, err, r.body)
	}
	if one := a.Data[0]; one.Alias != "sbc" || one.IP != "10.0.0.1" || one.Port != 5060 || one.Mask != 32 || !one.Status {
		t.Errorf("alias %+v", one)
	}
	if one := a.Data[1]; one.Alias != "office" || one.IP != "10.1.0.0" || one.Port != 0 || one.Mask != 16 {
		t.Errorf("alias %+v", one)
	}
}
