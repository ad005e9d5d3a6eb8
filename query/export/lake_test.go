package export_test

import (
	"sync"
	"testing"
	"time"

	"github.com/heplake/heplake/internal/chtest"
	"github.com/heplake/heplake/internal/laketest"
	"github.com/heplake/heplake/query"
)

func TestMain(m *testing.M) { chtest.Main(m) }

// realCaptures are captures of UDP senders, among them every call scenario,
// transport and family, RTCP and logs.
var realCaptures = []string{
	"kamailio-hep3-udp-sip-calls-a",
	"kamailio-hep3-udp-sip-failures-a",
	"kamailio-hep3-udp-sip-loss-retransmissions-a",
	"kamailio-hep3-udp-sip-register-options-message-publish-a",
	"kamailio-hep3-udp-sip-reinvite-prack-refer-subscribe-407-a",
	"kamailio-hep3-two-legs-topoh-xcid-a",
	"kamailio-hep3-sip-tcp-a",
	"kamailio-hep3-sip-tls-baresip-a",
	"kamailio-hep3-sip-websocket-jssip-a",
	"kamailio-hep3-over-ipv4-sip-ipv6-a",
	"heplify-hep3-udp-sip-tcp-ipv6-a",
	"sngrep-hep3-udp-b2bua-two-callids-xcid-a",
	"opensips-hep3-udp-sip-xlog-a",
	"rtpengine-kamailio-hep3-udp-call-with-rtcp-a",
	"hepjs-hep3-udp-sip-rtcp-qos-log-a",
}

// loaded keeps the flows of each capture: loading is the slow part.
var loaded = struct {
	sync.Mutex
	flows map[string][]*query.Flow
}{flows: map[string][]*query.Flow{}}

// realFlows gives the flows of all calls of a capture, as users get them: stored
// by the pipeline, found by a search, oldest first.
func realFlows(t testing.TB, capture string) []*query.Flow {
	t.Helper()
	loaded.Lock()
	defer loaded.Unlock()
	if flows, ok := loaded.flows[capture]; ok {
		return flows
	}
	flows := lakeFlows(t, laketest.Open(t, capture))
	if len(flows) == 0 {
		t.Fatalf("%s has no call", capture)
	}
	loaded.flows[capture] = flows
	return flows
}

// lakeFlows gives the flows of all calls of a database, oldest first.
func lakeFlows(t testing.TB, lake *laketest.Lake) (flows []*query.Flow) {
	t.Helper()
	store, err := query.Open(t.Context(), query.Options{URL: lake.URL})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	found, err := store.Calls(t.Context(), query.CallsRequest{From: lake.From.Add(-time.Hour), To: lake.To.Add(time.Hour), Limit: query.MaxCalls, Oldest: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range found.Calls {
		f, err := store.Flow(t.Context(), query.FlowRequest{ID: c.CorrelationID, Media: true, Events: true})
		if err != nil {
			t.Fatal(err)
		}
		flows = append(flows, f)
	}
	return flows
}
