package api

import (
	"context"
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/heplake/heplake/query"
	"github.com/heplake/heplake/query/export"
)

func TestExportCall(t *testing.T) {
	l := open(t, "kamailio-hep3-two-legs-topoh-xcid-a")
	const id = "1-16207@127.0.0.1"
	for _, f := range export.Formats() {
		t.Run(f.Name, func(t *testing.T) {
			r := get(t, l.url, "/api/v3/export/call/"+id+"/"+f.Name)
			if r.status != 200 || r.header.Get("Content-Type") != f.MediaType {
				t.Fatalf("status %d, type %q: %.300s", r.status, r.header.Get("Content-Type"), r.body)
			}
			kind, params, err := mime.ParseMediaType(r.header.Get("Content-Disposition"))
			if err != nil || (kind == "inline") != f.Text || params["filename"] != id+f.Extension {
				t.Errorf("disposition is %q: %v", r.header.Get("Content-Disposition"), err)
			}
			if r.header.Get(truncatedHeader) != "" {
				t.Errorf("a whole call is said to be cut: %q", r.header.Get(truncatedHeader))
			}
			if f.Name != "sipp" && f.Name != "svg" && !strings.Contains(string(r.body), "INVITE sip:bob@127.0.0.1") {
				t.Error("the first message is not in it")
			}
			other := get(t, l.url, "/api/v3/export/call/"+id+"/"+f.Name+"?anonymise=true&key=k")
			again := get(t, l.url, "/api/v3/export/call/"+id+"/"+f.Name+"?anonymise=true&key=k")
			if other.status != 200 || string(other.body) == string(r.body) || string(other.body) != string(again.body) {
				t.Errorf("anonymised: status %d; same as the original: %v; twice the same: %v", other.status, string(other.body) == string(r.body), string(other.body) == string(again.body))
			}
			for _, original := range []string{"alice", "lab.test", "16207"} {
				if strings.Contains(string(other.body)+other.header.Get("Content-Disposition"), original) {
					t.Errorf("anonymised, it still holds %q", original)
				}
			}
		})
	}
	if r := get(t, l.url, "/api/v3/export/call/"+id+"/text?tz=Asia/Kolkata"); !strings.Contains(string(r.body), " 08:08:35.845028 IST ") {
		t.Errorf("the times are not those of the zone:\n%.600s", r.body)
	}
	if r := get(t, l.url, "/api/v3/export/call/"+id+"/pcap?limit=3"); r.header.Get(truncatedHeader) != "messages: only the first 3 are shown" {
		t.Errorf("a cut call is said to be cut by %q", r.header.Get(truncatedHeader))
	}
	if a, b := get(t, l.url, "/api/v3/export/call/"+id+"/sipp"), get(t, l.url, "/api/v3/export/call/"+id+"/sipp?leg=B&max_pause=1s"); string(a.body) == string(b.body) || b.status != 200 {
		t.Errorf("leg B: status %d", b.status)
	}
	for path, parameter := range map[string]string{
		id + "/mp3": "format", id: "format", id + "/sipp?leg=C": "leg", id + "/pcap?key=k": "key", id + "/text?tz=Mars": "tz", id + "/pcap?max_pause=soon": "max_pause",
	} {
		if p := wantProblem(t, get(t, l.url, "/api/v3/export/call/"+path), 400, "request"); p.Parameter != parameter {
			t.Errorf("%s: the problem is with %q: %s", path, p.Parameter, p.Detail)
		}
	}
	wantProblem(t, get(t, l.url, "/api/v3/export/call/nosuch/pcap"), 404, "not-found")
}

func TestExportCalls(t *testing.T) {
	l := open(t, "kamailio-hep3-udp-sip-failures-a")
	const window = "&from=2026-01-01&to=2027-01-01"
	r := get(t, l.url, "/api/v1/export?format=json&filter=final_status+%3D+486"+window)
	if r.status != 200 || r.header.Get("Content-Type") != "application/x-ndjson" || r.header.Get(truncatedHeader) != "" {
		t.Fatalf("status %d, type %q, cut %q: %.300s", r.status, r.header.Get("Content-Type"), r.header.Get(truncatedHeader), r.body)
	}
	lines := strings.Split(strings.TrimSpace(string(r.body)), "\n")
	for _, line := range lines {
		var d export.Document
		if err := json.Unmarshal([]byte(line), &d); err != nil || d.Call.FinalStatus != 486 || len(d.Records) == 0 {
			t.Errorf("%v: a call that ended with %d in %d records", err, d.Call.FinalStatus, len(d.Records))
		}
	}
	if len(lines) < 2 {
		t.Fatalf("%d calls", len(lines))
	}
	r = get(t, l.url, "/api/v1/export?format=pcapng&limit=1&filter=final_status+%3D+486"+window)
	if r.status != 200 || r.header.Get(truncatedHeader) != "more calls match than the 1 exported" || !strings.Contains(r.header.Get("Content-Disposition"), "calls.pcapng") {
		t.Errorf("status %d, cut %q, disposition %q", r.status, r.header.Get(truncatedHeader), r.header.Get("Content-Disposition"))
	}
	wantProblem(t, get(t, l.url, "/api/v1/export?format=pcap&filter=call_id+%3D+nosuch"+window), 404, "not-found")
	if p := wantProblem(t, get(t, l.url, "/api/v1/export?format=sipp"+window), 400, "request"); p.Parameter != "format" {
		t.Errorf("the problem is with %q", p.Parameter)
	}
	wantProblem(t, get(t, l.url, "/api/v1/export?format=pcap&filter=status"+window), 400, "filter")
}

// Homer's clients name calls in a body, and several at a time.
func TestHomerExport(t *testing.T) {
	l := open(t, "kamailio-hep3-udp-sip-failures-a")
	body := func(ids string) string {
		return `{"param":{"transaction":{},"limit":200,"search":{"1_call":{"id":5,"callid":[` + ids + `],"uuid":[]}},"location":{"node":["localnode"]},"timezone":{"value":0,"name":"UTC"}},"timestamp":{"from":1795219200000,"to":1795305600000}}`
	}
	const two = `"1-15155@127.0.0.1","1-15157@127.0.0.1"`
	for format, begins := range map[string]string{"pcap": "\xd4\xc3\xb2\xa1", "text": "✗", "sipp": "README", "html": "<!DOCTYPE"} {
		kind := "messages"
		if format == "html" {
			kind = "transaction"
		}
		r := send(t, http.MethodPost, l.url, "/api/v3/export/call/"+kind+"/"+format, body(two))
		if r.status != 200 || !strings.HasPrefix(string(r.body), begins) || !strings.Contains(r.header.Get("Content-Disposition"), "filename=export-2") {
			t.Errorf("%s: status %d, disposition %q: %.80q", format, r.status, r.header.Get("Content-Disposition"), r.body)
		}
		if f, _ := export.FormatOf(format); f.Bulk == (r.header.Get(truncatedHeader) != "") {
			t.Errorf("%s of two calls is said to be cut by %q", format, r.header.Get(truncatedHeader))
		}
	}
	p := wantProblem(t, send(t, http.MethodPost, l.url, "/api/v3/export/call/messages/pcap", body(`"nosuch"`)), 404, "not-found")
	if p.Message == "" {
		t.Error("Homer's clients are not told why")
	}
	wantProblem(t, send(t, http.MethodPost, l.url, "/api/v3/export/call/messages/mp3", body(two)), 400, "request")
	wantProblem(t, send(t, http.MethodPost, l.url, "/api/v3/export/call/messages/pcap", `{}`), 400, "request")
}

// oneFlow is a store whose flow is what the test says.
type oneFlow struct {
	faults
	flow func(context.Context, query.FlowRequest) (*query.Flow, error)
}

func (s oneFlow) Flow(ctx context.Context, r query.FlowRequest) (*query.Flow, error) {
	return s.flow(ctx, r)
}

func (s oneFlow) Calls(context.Context, query.CallsRequest) (query.CallsResult, error) {
	return query.CallsResult{Calls: []query.Call{{CorrelationID: "a"}, {CorrelationID: "b"}}}, nil
}

// A Call-ID may be anything: it is found, and the file's name is harmless.
func TestExportOfHostileCallIDs(t *testing.T) {
	var asked string
	url := serve(t, Config{Store: oneFlow{flow: func(_ context.Context, r query.FlowRequest) (*query.Flow, error) {
		asked = r.ID
		return &query.Flow{}, nil
	}}})
	for path, id := range map[string]string{"a/b/pcap": "a/b", "a%2Fb/pcap": "a/b", "..%2F..%2Fx%22%0D%0AX:%20y/pcap": "../../x\"\r\nX: y", "pcap/pcap": "pcap"} {
		r := get(t, url, "/api/v3/export/call/"+path)
		if r.status != 200 || asked != id || r.header.Get("X") != "" {
			t.Errorf("%s: status %d, asked for %q", path, r.status, asked)
		}
		_, params, err := mime.ParseMediaType(r.header.Get("Content-Disposition"))
		if name := params["filename"]; err != nil || strings.ContainsAny(name, "/\\\"\r\n ") || strings.HasPrefix(name, ".") {
			t.Errorf("%s: file name %q, %v", path, name, err)
		}
	}
}

func TestExportWithoutScenario(t *testing.T) {
	url := serve(t, Config{Store: oneFlow{flow: func(context.Context, query.FlowRequest) (*query.Flow, error) {
		return &query.Flow{Legs: []query.Leg{{CallID: "x"}}}, nil
	}}})
	p := wantProblem(t, get(t, url, "/api/v3/export/call/x/sipp"), 422, "no-scenario")
	if !strings.Contains(p.Detail, "leg A has no request") {
		t.Errorf("detail is %q", p.Detail)
	}
}

// An export ends when its client goes.
func TestExportIsCancelled(t *testing.T) {
	began, ended := make(chan struct{}, 1), make(chan error, 1)
	url := serve(t, Config{Store: oneFlow{flow: func(ctx context.Context, _ query.FlowRequest) (*query.Flow, error) {
		began <- struct{}{}
		<-ctx.Done()
		ended <- ctx.Err()
		return nil, ctx.Err()
	}}})
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/api/v1/export?format=pcap", nil)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		<-began
		cancel()
	}()
	if resp, err := http.DefaultTransport.RoundTrip(req); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, %v", resp, err)
	}
	select {
	case err := <-ended:
		if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Error("the store was not told")
	}
}
