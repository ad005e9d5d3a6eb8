package schema

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestShardKeys wants rows that the engine puts together on one shard, and the
// records of a call too.
func TestShardKeys(t *testing.T) {
	word := regexp.MustCompile(`[a-z_0-9A-Z]+`)
	for _, table := range slices.Concat(Tables(), Derived()) {
		key := table.ShardKey()
		var columns []string
		for _, w := range word.FindAllString(key, -1) {
			if _, ok := table.Column(w); ok {
				columns = append(columns, w)
			}
		}
		if len(columns) == 0 && key != "0" {
			t.Errorf("%s is sharded by %s, which names no column of it", table.Name, key)
		}
		if strings.HasPrefix(table.Engine, "Replacing") {
			for _, c := range columns {
				if !slices.Contains(word.FindAllString(table.OrderBy, -1), c) {
					t.Errorf("%s is sharded by %s, which its sorting key %s does not settle: versions of a row would not meet", table.Name, key, table.OrderBy)
				}
			}
		}
	}
	for _, table := range Tables() {
		if key := table.ShardKey(); !strings.Contains(key, "cityHash64(correlation_id)") {
			t.Errorf("%s is sharded by %s", table.Name, key)
		}
	}
}

// TestSingleNodeDDL wants nothing of a cluster where there is none.
func TestSingleNodeDDL(t *testing.T) {
	var o Options
	var all []string
	for _, table := range slices.Concat(Tables(), Derived()) {
		all = append(all, table.CreateSQL(o))
	}
	for _, f := range Feeds() {
		all = append(all, f.CreateSQL(o))
	}
	for _, v := range Views() {
		all = append(all, v.CreateSQL(o))
	}
	for _, sql := range all {
		for _, word := range []string{"ON CLUSTER", LocalSuffix + "`", "Replicated", "Distributed("} {
			if strings.Contains(sql, word) {
				t.Errorf("%s in %s", word, sql)
			}
		}
	}
	if len(o.Distributed()) != 0 {
		t.Error("a single node has Distributed tables")
	}
}
