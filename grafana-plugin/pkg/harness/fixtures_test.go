package harness_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/heplake/heplake/grafana-plugin/pkg/harness"
	"github.com/heplake/heplake/internal/laketest"
	"github.com/heplake/heplake/query"
)

var update = flag.Bool("update", false, "write the flows that the plugin's own tests draw")

// fixtures is where the tests of the ladder find flows of real calls.
const fixtures = "../../test/fixtures"

// drawn are the calls that the tests of the ladder draw: the first that meets
// the filter.
var drawn = []struct {
	name, capture, filter string
	aliases               []string
	frame                 string // a query whose answer, as it goes over the wire, they need too
}{
	{name: "busy", capture: "kamailio-hep3-udp-sip-failures-a", filter: "final_status = 486"},
	{name: "cancelled", capture: "kamailio-hep3-udp-sip-failures-a", filter: "outcome = cancelled"},
	{name: "unreachable", capture: "kamailio-hep3-udp-sip-failures-a", filter: "final_status = 408", frame: "flow"},
	{name: "two-legs", capture: "kamailio-hep3-two-legs-topoh-xcid-a", filter: "method = INVITE and outcome = answered"},
	{
		name: "aliases", capture: "kamailio-hep3-two-legs-topoh-xcid-a", filter: "method = INVITE and outcome = answered",
		aliases: []string{"127.0.0.1:5070=Softphone", "127.0.0.1:5060=SBC Berlin", "127.0.0.1:5062=SBC Berlin", "127.0.0.0/8=Carrier"},
	},
	{name: "retransmissions", capture: "kamailio-hep3-udp-sip-loss-retransmissions-a", filter: "retransmissions > 3"},
	{name: "hold", capture: "kamailio-hep3-udp-sip-reinvite-prack-refer-subscribe-407-a", filter: `sdp ~ "sendonly|inactive"`},
	{name: "rtcp", capture: "rtpengine-kamailio-hep3-udp-call-with-rtcp-a", filter: "method = INVITE", frame: "quality"},
	{name: "logs", capture: "hepjs-hep3-udp-sip-rtcp-qos-log-a", filter: "method = INVITE and outcome = answered"},
	{name: "ipv6", capture: "kamailio-hep3-over-ipv6-sip-ipv6-a", filter: "method = INVITE and outcome = answered"},
	{name: "register", capture: "kamailio-hep3-udp-sip-register-options-message-publish-a", filter: "method = REGISTER"},
}

// TestFixtures holds the flows that the ladder's tests draw against what the store
// gives now: every member that a fixture has must be the same. A flow may have
// gained members since. -update writes them.
func TestFixtures(t *testing.T) {
	for _, d := range drawn {
		t.Run(d.name, func(t *testing.T) {
			l := laketest.Open(t, d.capture)
			aliases, err := query.ParseAliases(d.aliases)
			if err != nil {
				t.Fatal(err)
			}
			store, err := query.Open(t.Context(), query.Options{URL: l.URL, Database: l.Name, Aliases: aliases})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = store.Close() }()
			calls, err := store.Calls(t.Context(), query.CallsRequest{Filter: d.filter, From: l.From, To: l.To, Limit: 1000})
			if err != nil || len(calls.Calls) == 0 {
				t.Fatalf("%d calls meet %s: %v", len(calls.Calls), d.filter, err)
			}
			first := calls.Calls[len(calls.Calls)-1] // they come newest first
			flow, err := store.Flow(t.Context(), query.FlowRequest{ID: first.CallIDs[0], Media: true, Events: true})
			if err != nil {
				t.Fatal(err)
			}
			compareFixture(t, d.name, flow)
			if d.frame == "" {
				return
			}
			p := harness.Start(t)
			compareFixture(t, d.name+".frame", frames(t, p.Ask(source(t, l), over(l, map[string]any{"queryType": d.frame, "callId": flow.Call.CallIDs[0]})))[0])
		})
	}
}

// listed are the captures whose calls the tests of the app list.
var listed = []string{
	"kamailio-hep3-udp-sip-failures-a", "kamailio-hep3-udp-sip-loss-retransmissions-a", "kamailio-hep3-udp-sip-reinvite-prack-refer-subscribe-407-a",
	"rtpengine-kamailio-hep3-udp-call-with-rtcp-a", "kamailio-hep3-two-legs-topoh-xcid-a",
}

// TestCallsFixture does the same for the list of calls.
func TestCallsFixture(t *testing.T) {
	l := laketest.Open(t, listed...)
	store, err := query.Open(t.Context(), query.Options{URL: l.URL, Database: l.Name})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	calls, err := store.Calls(t.Context(), query.CallsRequest{Filter: "method = INVITE", From: l.From, To: l.To, Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	compareFixture(t, "calls", calls.Calls)
}

// TestFieldsFixture holds the fields that the form of a filter is tested with
// against those there are: each is still there, with its operators. There may be
// more.
func TestFieldsFixture(t *testing.T) {
	type field struct {
		Name string   `json:"name"`
		Ops  []string `json:"ops"`
	}
	type list struct {
		Calls []field `json:"calls"`
	}
	p := harness.Start(t)
	status, body := p.Resource(harness.Source{Settings: map[string]any{"url": "http://nowhere"}}, "fields")
	path := filepath.Join(fixtures, "fields.json")
	if *update {
		var all map[string]any
		if err := json.Unmarshal(body, &all); err != nil || status != 200 {
			t.Fatalf("status %d: %v", status, err)
		}
		compareFixture(t, "fields", map[string]any{"calls": all["calls"]})
		return
	}
	old, err := os.ReadFile(path) //nolint:gosec // its own test data
	if err != nil {
		t.Fatal(err)
	}
	var want, got list
	for raw, to := range map[string]*list{string(old): &want, string(body): &got} {
		if err := json.Unmarshal([]byte(raw), to); err != nil {
			t.Fatal(err)
		}
	}
	now := map[string]string{}
	for _, f := range got.Calls {
		now[f.Name] = fmt.Sprint(f.Ops)
	}
	if len(want.Calls) == 0 {
		t.Error("the fixture has no field")
	}
	for _, f := range want.Calls {
		if ops := fmt.Sprint(f.Ops); now[f.Name] != ops {
			t.Errorf("%s has the operators %s, had %s (go test -update writes it)", f.Name, now[f.Name], ops)
		}
	}
}

func compareFixture(t *testing.T, name string, value any) {
	t.Helper()
	path := filepath.Join(fixtures, name+".json")
	now, err := json.MarshalIndent(value, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(path, append(now, '\n'), 0o644); err != nil { //nolint:gosec // test data for everybody
			t.Fatal(err)
		}
		return
	}
	old, err := os.ReadFile(path) //nolint:gosec // its own test data
	if err != nil {
		t.Fatal(err)
	}
	var want, got any
	for raw, to := range map[*any]string{&want: string(old), &got: string(now)} {
		d := json.NewDecoder(strings.NewReader(to))
		d.UseNumber()
		if err := d.Decode(raw); err != nil {
			t.Fatal(err)
		}
	}
	if d := difference(name, want, got); d != "" {
		t.Errorf("%s is not what the store gives any more (go test -update writes it): %s", path, d)
	}
}

// difference says where got lacks what want has, "" where it has all: members
// that want does not have do not matter.
func difference(at string, want, got any) string {
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		for name, value := range w {
			if !ok {
				break
			}
			if d := difference(at+"."+name, value, g[name]); d != "" {
				return d
			}
		}
		if ok {
			return ""
		}
	case []any:
		g, ok := got.([]any)
		if ok && len(g) == len(w) {
			for i := range w {
				if d := difference(fmt.Sprintf("%s[%d]", at, i), w[i], g[i]); d != "" {
					return d
				}
			}
			return ""
		}
	}
	if reflect.DeepEqual(want, got) {
		return ""
	}
	return fmt.Sprintf("%s is %.300v, was %.300v", at, got, want)
}
