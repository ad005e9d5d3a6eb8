package migrate

import (
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/heplake/heplake/internal/chtest"
	"github.com/heplake/heplake/internal/embedded"
	"github.com/heplake/heplake/schema"
)

// owner is a connection to an engine, to no database.
func owner(t *testing.T, s *embedded.Server) driver.Conn {
	t.Helper()
	u, err := url.Parse(s.URL(embedded.Owner))
	if err != nil {
		t.Fatal(err)
	}
	u.Path = ""
	return chtest.Dial(t, u.String())
}

// applyAll plans for each node and applies.
func applyAll(t *testing.T, dbs []DB, o schema.Options) []Steps {
	t.Helper()
	plans, err := PlanAll(t.Context(), dbs, o)
	if err == nil {
		err = ApplyAll(t.Context(), dbs, plans)
	}
	if err != nil {
		t.Fatal(err)
	}
	return plans
}

// TestClusterNodeByNode migrates the nodes of a cluster without Keeper, and then
// plans for all of them through one: both ways must find the same tables right.
func TestClusterNodeByNode(t *testing.T) {
	var conns []driver.Conn
	var dbs []DB
	for _, s := range chtest.StartCluster(t, 2) {
		conns = append(conns, owner(t, s))
		dbs = append(dbs, conns[len(conns)-1])
	}
	o := schema.Options{Cluster: schema.Cluster{Name: chtest.ClusterName}}
	applyAll(t, dbs, o)
	together := o
	together.Cluster.OnCluster = true
	for _, db := range dbs {
		wantEmpty(t, db, o)
		wantEmpty(t, db, together)
	}
	if got := value(t, conns[0], "SELECT count() FROM heplake.meta WHERE done"); got != "2" {
		t.Errorf("%s migrations are on record, want one for each node", got)
	}

	t.Run("rows find their shard, and all are seen on each node", func(t *testing.T) {
		exec(t, conns[1], "INSERT INTO heplake.sip (time, tenant, correlation_id, own_call_id, cseq_method, method) SELECT now64(6), 't', toString(number % 100), toString(number), 'INVITE', 'INVITE' FROM numbers(1000) SETTINGS "+schema.DistributedSettings)
		for _, conn := range conns {
			if got := value(t, conn, "SELECT count() FROM heplake.sip"); got != "1000" {
				t.Errorf("%s rows, want 1000", got)
			}
			if got := value(t, conn, "SELECT count() BETWEEN 300 AND 700 FROM heplake.sip_local"); got != "1" {
				t.Errorf("this shard has %s rows of 1000", value(t, conn, "SELECT count() FROM heplake.sip_local"))
			}
			if got := value(t, conn, "SELECT sum(messages) FROM heplake.messages_1m"); got != "1000" {
				t.Errorf("%s messages were fed, want 1000", got)
			}
		}
		if got := value(t, conns[0], "SELECT max(shards) FROM (SELECT uniqExact(_shard_num) AS shards FROM heplake.sip GROUP BY correlation_id)"); got != "1" {
			t.Errorf("a call lies on %s shards", got)
		}
	})
	t.Run("what a node lacks is found through another, once", func(t *testing.T) {
		exec(t, conns[1], "ALTER TABLE heplake.sip_local DROP COLUMN content_type")
		exec(t, conns[1], "DROP VIEW heplake.calls_local SYNC")
		exec(t, conns[0], "DROP TABLE heplake.media SYNC")
		s := plan(t, dbs[0], together)
		for _, want := range []string{
			"ALTER TABLE `heplake`.`sip_local` ON CLUSTER `lake` ADD COLUMN IF NOT EXISTS `content_type`",
			"CREATE OR REPLACE VIEW `heplake`.`calls_local` ON CLUSTER `lake`",
			"CREATE OR REPLACE TABLE `heplake`.`calls` ON CLUSTER `lake` AS `heplake`.`calls_local`",
			"CREATE OR REPLACE TABLE `heplake`.`media` ON CLUSTER `lake`",
			"INSERT INTO `heplake`.`meta` ",
		} {
			if !strings.Contains(s.String(), want) {
				t.Errorf("not in the plan: %s\n%s", want, s)
			}
		}
		for _, st := range s.Statements {
			if !strings.Contains(st.SQL, " ON CLUSTER `lake`") && !strings.HasPrefix(st.SQL, "INSERT INTO `heplake`.`meta` ") {
				t.Errorf("this statement is for one node: %s", st.SQL)
			}
		}
		applyAll(t, dbs, o)
		wantEmpty(t, dbs[0], together)
	})
	t.Run("a single node does not take its tables", func(t *testing.T) {
		var layout *LayoutError
		if _, err := Plan(t.Context(), dbs[0], schema.Options{}); !errors.As(err, &layout) || layout.Cluster != chtest.ClusterName {
			t.Errorf("got %v", err)
		}
	})
	t.Run("an unknown cluster is refused", func(t *testing.T) {
		if _, err := Plan(t.Context(), dbs[0], schema.Options{Cluster: schema.Cluster{Name: "nowhere"}}); err == nil || !strings.Contains(err.Error(), "no cluster nowhere") {
			t.Errorf("got %v", err)
		}
	})
}

// TestClusterRefusesASingleNodesTables is about a database that held rows before
// there was a cluster.
func TestClusterRefusesASingleNodesTables(t *testing.T) {
	servers := chtest.StartCluster(t, 1)
	conn := owner(t, servers[0])
	apply(t, conn, plan(t, conn, schema.Options{}))
	var layout *LayoutError
	for _, together := range []bool{false, true} {
		_, err := Plan(t.Context(), conn, schema.Options{Cluster: schema.Cluster{Name: chtest.ClusterName, OnCluster: together}})
		if !errors.As(err, &layout) || layout.Table != "sip" || layout.Engine != "MergeTree" {
			t.Errorf("got %v", err)
		}
	}
}

// TestReplicatedDDL checks the statements for a cluster with replicas as text:
// the embedded engine has no Keeper to run them with.
func TestReplicatedDDL(t *testing.T) {
	conn := owner(t, chtest.StartCluster(t, 1)[0])
	o := schema.Options{Database: "calls_eu", Cluster: schema.Cluster{Name: chtest.ClusterName, Replicated: true, OnCluster: true}}
	s := plan(t, conn, o)
	var tables []string
	for _, st := range s.Statements {
		first, _, _ := strings.Cut(st.SQL, "\n")
		tables = append(tables, first)
		switch {
		case strings.HasPrefix(st.SQL, "INSERT INTO `calls_eu`.`meta` "):
		case !strings.Contains(first, " ON CLUSTER `lake`"):
			t.Errorf("for one node: %s", first)
		case strings.HasPrefix(st.SQL, "CREATE TABLE "):
			_, engine, _ := strings.Cut(st.SQL, "\nENGINE = ")
			name := strings.Split(first, "`")[3]
			family, parameters, _ := strings.Cut(engine, "(")
			if !strings.HasPrefix(family, "Replicated") || !strings.HasSuffix(name, "_local") ||
				!strings.HasPrefix(parameters, "'/clickhouse/tables/{shard}/calls_eu/"+name+"', '{replica}'") {
				t.Errorf("table %s has the engine %s", name, engine)
			}
		}
		// ClickHouse parses what it cannot run here.
		value(t, conn, "SELECT formatQuerySingleLine("+schema.Quote(st.SQL)+")")
	}
	for _, want := range []string{
		"CREATE DATABASE IF NOT EXISTS `calls_eu` ON CLUSTER `lake` ENGINE = Atomic",
		"CREATE TABLE IF NOT EXISTS `calls_eu`.`sip_local` ON CLUSTER `lake`",
		"CREATE MATERIALIZED VIEW IF NOT EXISTS `calls_eu`.`messages_feed` ON CLUSTER `lake` TO `calls_eu`.`messages_1m_local` AS",
		"CREATE OR REPLACE VIEW `calls_eu`.`calls_local` ON CLUSTER `lake`",
		"CREATE OR REPLACE TABLE `calls_eu`.`sip` ON CLUSTER `lake`",
		"CREATE OR REPLACE TABLE `calls_eu`.`calls` ON CLUSTER `lake` AS `calls_eu`.`calls_local`",
	} {
		if !slices.Contains(tables, want) {
			t.Errorf("not among the statements: %s", want)
		}
	}
	for _, want := range []string{
		"ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/calls_eu/call_rows_local', '{replica}', version, deleted)",
		"replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800",
		"ENGINE = Distributed('lake', 'calls_eu', 'sip_local', if(correlation_id != '', cityHash64(correlation_id), cityHash64(time)))",
		"FROM `calls_eu`.`call_rows_local` AS r FINAL",
	} {
		if !strings.Contains(s.String(), want) {
			t.Errorf("not in the plan: %s", want)
		}
	}
}
