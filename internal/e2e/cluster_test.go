package e2e

import (
	"context"
	"strings"
	"testing"

	"github.com/heplake/heplake/internal/captures"
	"github.com/heplake/heplake/internal/chtest"
	"github.com/heplake/heplake/internal/embedded"
)

// TestCluster runs heplake before two shards without Keeper, one of which is
// away while records arrive: batches wait for it, whatever the other one took of
// them meanwhile, and in the end everything is there once.
func TestCluster(t *testing.T) {
	configs := chtest.ClusterConfigs(t, 2)
	shards := make([]*embedded.Server, len(configs))
	for i := range configs {
		shards[i] = chtest.StartEngine(t, configs[i])
	}
	settings := []string{
		// The owner of the first shard; the second has the same password.
		"HEPLAKE_CLICKHOUSE_URL=" + shards[0].URL(embedded.Owner), "HEPLAKE_CLICKHOUSE_CLUSTER=" + chtest.ClusterName,
		"HEPLAKE_CLICKHOUSE_REPLICATED=false", "HEPLAKE_CLICKHOUSE_NODES=" + configs[0].HTTP + "," + configs[1].HTTP,
	}
	migrate := func(args ...string) string {
		t.Helper()
		s := heplake(t, env(settings...), append([]string{"migrate"}, args...)...)
		if s.code != 0 {
			t.Fatalf("heplake migrate: exit code %d\n%s%s", s.code, s.out, s.err)
		}
		return s.out
	}
	if plan := migrate("--plan"); strings.Count(plan, "-- on 127.0.0.1:") != 2 || !strings.Contains(plan, "ENGINE = Distributed('"+chtest.ClusterName+"', 'heplake', 'sip_local', ") {
		t.Errorf("the plan for two nodes is\n%.2000s", plan)
	}
	migrate()
	if plan := migrate("--plan"); !strings.Contains(plan, "nothing to do") {
		t.Errorf("a migrated cluster needs more:\n%s", plan)
	}

	l := serve(t, t.TempDir(), settings...)
	db := chtest.Dial(t, shards[0].URL(embedded.Owner))
	const first, second = "kamailio-hep3-udp-sip-failures-a", "kamailio-hep3-udp-sip-calls-a"
	replay := func(name string) int {
		l.must("replay", captures.Path(name+".pcap"), "--to", l.addr["hep_tcp"], "--proto", "tcp", "--now")
		return expect(t, name).packets
	}
	sent := replay(first)
	l.drained(sent)

	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := shards[1].Stop(ctx); err != nil {
		t.Fatal(err)
	}
	sent += replay(second)
	eventually(t, "batches wait for the shard that is away", func() (bool, string) {
		f := l.metrics()
		f.balance(t)
		waiting, tries := f.sum("heplake_waiting"), f.sum("heplake_insert_failures_total")
		return waiting > 0 && tries >= 2, sprintf("%.0f wait, %.0f failures", waiting, tries)
	})
	shards[1] = chtest.StartEngine(t, configs[1])
	l.drained(sent)
	want := expect(t, first).sip + expect(t, second).sip
	if n := count(t, db, "sip"); n != want {
		t.Errorf("%d messages are stored, %d were sent", n, want)
	}
	for _, s := range shards {
		if n := count(t, chtest.Dial(t, s.URL(embedded.Owner)), "sip_local"); n == 0 || n == want {
			t.Errorf("one shard has %d of %d messages", n, want)
		}
	}

	eventually(t, "the calls of both shards are found", func() (bool, string) {
		s := l.cli("search", "method = INVITE", "--since", "1h", "-o", "csv")
		return strings.Count(s.out, "\n") >= 13, s.out + s.err
	})
	if s := heplake(t, env(settings...), "retention", "-o", "json"); s.code != 0 || !strings.Contains(s.out, sprintf("\"rows\": %d,", want)) || !strings.Contains(s.out, "shard 2, ") {
		t.Errorf("heplake retention on a cluster: %+v", s)
	}
	if s := heplake(t, env(settings...), "hold", "add", "--tenant", "default", "--reason", "audit", "--who", "legal"); s.code != 0 || !strings.Contains(s.out, sprintf("sip: %d rows", want)) {
		t.Errorf("heplake hold add on a cluster: %+v", s)
	}
	if s := heplake(t, env(settings...), "hold", "list"); s.code != 0 || !strings.Contains(s.out, "audit") {
		t.Errorf("heplake hold list on a cluster: %+v", s)
	}
	l.stop()
	if plan := migrate("--plan"); !strings.Contains(plan, "nothing to do") {
		t.Errorf("after a hold migrate wants\n%s", plan)
	}
	if plan := migrate("--rebalance", "--plan"); !strings.Contains(plan, "nothing to do") {
		t.Errorf("rows are to be moved that were never elsewhere:\n%s", plan)
	}
	if said := migrate("--rebalance"); !strings.Contains(said, "every row is on its shard") {
		t.Errorf("heplake migrate --rebalance says %q", said)
	}
}
