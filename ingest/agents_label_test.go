package ingest

import (
	"net/netip"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// TestAgentLabelsNeverCollide: two series of one name would fail the whole scrape.
func TestAgentLabelsNeverCollide(t *testing.T) {
	p := &Pipeline{workers: []*worker{{}}}
	now := time.Now()
	for _, addr := range []string{"192.0.2.1", "::ffff:192.0.2.1"} {
		for _, node := range []string{"a\xff", `a\xff`, `a"`, "a\xff\"", `a\xff"`, ""} {
			p.workers[0].agents.at([]byte(node), 1, netip.MustParseAddr(addr)).seen(now, 0)
		}
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(p.Agents())
	if _, err := registry.Gather(); err != nil {
		t.Error(err)
	}
}
