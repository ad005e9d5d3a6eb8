package retention

import (
	"errors"
	"log/slog"
	"net/url"
	"strings"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/heplake/heplake/internal/chtest"
	"github.com/heplake/heplake/internal/embedded"
	"github.com/heplake/heplake/schema"
	"github.com/heplake/heplake/schema/migrate"
)

// lakeAt is a database of a test: on one node, or spread over the shards of a
// cluster, reached through the first.
type lakeAt struct {
	db    driver.Conn
	nodes []driver.Conn
	o     schema.Options
}

// place makes a database of these options.
type place func(t *testing.T, o schema.Options) *lakeAt

func oneNode(t *testing.T, o schema.Options) *lakeAt {
	t.Helper()
	address := chtest.Database(t)
	o.Database = chtest.Name(t, address)
	b := &lakeAt{db: chtest.Dial(t, address), o: o}
	b.apply(t)
	return b
}

// apply migrates, and returns how many statements that took.
func (b *lakeAt) apply(t *testing.T) (n int) {
	t.Helper()
	var dbs []migrate.DB
	for _, node := range nodesOf(b.db, b.nodes) {
		dbs = append(dbs, node)
	}
	plans, err := migrate.PlanAll(t.Context(), dbs, b.o)
	if err == nil {
		err = migrate.ApplyAll(t.Context(), dbs, plans)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range plans {
		n += len(p.Statements)
	}
	return n
}

// onShards is a place on these engines, the shards of a cluster.
func onShards(shards []*embedded.Server) place {
	return func(t *testing.T, o schema.Options) *lakeAt {
		t.Helper()
		o.Database = "t" + strings.ToLower(strings.NewReplacer("/", "_", "-", "_").Replace(t.Name()))
		o.Cluster = schema.Cluster{Name: chtest.ClusterName}
		b := &lakeAt{o: o}
		for i, s := range shards {
			u, err := url.Parse(s.URL(embedded.Owner))
			if err != nil {
				t.Fatal(err)
			}
			u.Path = ""
			b.nodes = append(b.nodes, chtest.Dial(t, u.String()))
			if i == 0 {
				u.Path = "/" + o.Database
				b.db = chtest.Dial(t, u.String())
			}
		}
		b.apply(t)
		return b
	}
}

// TestOnACluster has the tests of a single node pass on two shards, between which
// the legs of calls, their reports and their rows are spread.
func TestOnACluster(t *testing.T) {
	at := onShards(chtest.StartCluster(t, 2))
	for name, test := range map[string]func(*testing.T, place){
		"rules": rulesKeepWhatTheySay, "versions": olderVersionsStayHidden, "holds": holdsKeep, "ids": idsStayWithTheirMessages,
	} {
		t.Run(name, func(t *testing.T) { test(t, at) })
	}
	t.Run("one keeper", func(t *testing.T) {
		b := at(t, schema.Options{})
		first, second := b.keeper(Policy{}), b.keeper(Policy{})
		second.DB = b.nodes[1]
		for i, c := range []struct {
			k    *Keeper
			want bool
		}{{first, true}, {second, false}, {first, true}} {
			if got, err := c.k.lease(t.Context()); err != nil || got != c.want {
				t.Errorf("%d: the lease is ours: %v, %v", i, got, err)
			}
		}
	})
	t.Run("what is where", func(t *testing.T) {
		b := kept(t, at, schema.Options{KeeperDeletes: true})
		var both, other uint64
		if err := b.db.QueryRow(spread(t.Context(), b.o), "SELECT uniqExact(_shard_num) FROM sip").Scan(&both); err != nil || both != 2 {
			t.Fatalf("messages lie on %d shards, %v", both, err)
		}
		// Else the tests above would show nothing of calls that are elsewhere.
		err := b.db.QueryRow(spread(t.Context(), b.o), "SELECT count() FROM (SELECT correlation_id AS c, _shard_num AS s FROM sip WHERE cseq_method = 'BYE') AS m INNER JOIN (SELECT correlation_id || 'b' AS c, _shard_num AS s FROM call_rows) AS r ON r.c = m.c WHERE m.s != r.s").Scan(&other)
		if err != nil || other == 0 {
			t.Errorf("every leg lies beside its call's row (%v)", err)
		}
		h, err := Read(t.Context(), b.db, b.o, Policy{})
		if err != nil {
			t.Fatal(err)
		}
		for _, table := range h.Tables {
			if got, want := table.Rows(), count(t, b.db, table.Name); got != want {
				t.Errorf("%s has %d rows by its parts, and %d", table.Name, got, want)
			}
		}
		if len(h.Disks) != 2 || h.Disks[0].Name != "shard 1, default" || h.Disks[1].Total == 0 {
			t.Errorf("disks: %+v", h.Disks)
		}
	})
}

// TestAShardIsAway deletes nothing, and forgets no hold, while a shard is away.
func TestAShardIsAway(t *testing.T) {
	shards := chtest.StartCluster(t, 2)
	p := Policy{Days: map[string]int{"sip": 3, "media": 3, "events": 3}}
	b := kept(t, onShards(shards), schema.Options{TTLDays: map[string]int{"sip": 60, "media": 60, "events": 60}})
	if deletes, err := KeeperDeletes(t.Context(), b.db, b.o); err != nil || deletes {
		t.Errorf("before any hold the keeper deletes: %v, %v", deletes, err)
	}
	if _, err := AddHold(t.Context(), b.db, b.o, Hold{Tenant: "b", Reason: "audit", Who: "legal"}, b.nodes...); err != nil {
		t.Fatal(err)
	}
	// The hold itself lies on the first shard.
	b.db = b.nodes[1]
	before := count(t, b.db, qualified(b.o, "sip_local"))
	if err := shards[0].Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if deletes, err := KeeperDeletes(t.Context(), b.db, b.o); err != nil || !deletes {
		t.Errorf("the keeper deletes: %v, %v", deletes, err)
	}
	if err := b.keeper(p).Sweep(t.Context()); err == nil {
		t.Error("a sweep without a shard ended well")
	}
	if after := count(t, b.db, qualified(b.o, "sip_local")); after != before || before == 0 {
		t.Errorf("of %d messages of the shard that is there %d are left", before, after)
	}
}

// TestReplicatedIsOneStatement has what is sent where ClickHouse carries statements
// to all nodes; the embedded engine, without Keeper, cannot run it.
func TestReplicatedIsOneStatement(t *testing.T) {
	o := schema.Options{Cluster: schema.Cluster{Name: "lake", Replicated: true, OnCluster: true}}
	if got, want := alterSQL(o, "sip", dropPartition("2026-11-21")), "ALTER TABLE `heplake`.`sip_local` ON CLUSTER `lake` DROP PARTITION '2026-11-21'"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got, want := system(o, "parts"), "cluster('lake', system.parts)"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	plain := Policy{Rules: []Rule{{Name: "pings", Methods: []string{"OPTIONS"}, Days: 1}}}
	calls := Policy{Rules: []Rule{{Name: "failed", Outcomes: []string{"failed"}, Days: 9}}}
	for _, c := range []struct {
		p       Policy
		cluster schema.Cluster
		refused bool
	}{
		{plain, o.Cluster, false},
		{calls, o.Cluster, true},
		{calls, schema.Cluster{Name: "lake", OnCluster: true}, true},
		{calls, schema.Cluster{Name: "lake", Replicated: true}, true},
		{calls, schema.Cluster{Name: "lake"}, false},
		{calls, schema.Cluster{}, false},
	} {
		if err := CheckCluster(c.p, schema.Options{Cluster: c.cluster}); errors.Is(err, ErrCluster) != c.refused {
			t.Errorf("%+v on %+v: %v", c.p.Rules, c.cluster, err)
		}
	}
	k := &Keeper{Schema: o, Archiver: &archive{}, Log: slog.New(slog.DiscardHandler)}
	if err := k.Sweep(t.Context()); !errors.Is(err, ErrCluster) {
		t.Errorf("to archive: %v", err)
	}
}
