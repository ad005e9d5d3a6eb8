package laketest

import (
	"net/url"
	"testing"

	"github.com/heplake/heplake/internal/chtest"
	"github.com/heplake/heplake/internal/embedded"
	"github.com/heplake/heplake/schema"
	"github.com/heplake/heplake/schema/migrate"
)

// Cluster is a database that is spread over the shards of a cluster. The Lake
// works through the first shard.
type Cluster struct {
	*Lake
	// Shards are the engines, one a shard.
	Shards []*embedded.Server
}

// ClusterOptions are the options of the schema of [OpenCluster].
func ClusterOptions() schema.Options {
	return schema.Options{Cluster: schema.Cluster{Name: chtest.ClusterName}}
}

// OpenCluster starts a cluster of so many shards, migrates them, and loads these
// captures through the first.
func OpenCluster(t testing.TB, shards int, names ...string) *Cluster {
	t.Helper()
	c := &Cluster{Lake: &Lake{Name: schema.Database}}
	c.Use(t, chtest.StartCluster(t, shards))
	c.fill(t, names)
	return c
}

// Use has the lake be on these shards, and migrates them.
func (c *Cluster) Use(t testing.TB, shards []*embedded.Server) {
	t.Helper()
	c.Shards = shards
	dbs := c.Nodes(t)
	plans, err := migrate.PlanAll(t.Context(), dbs, ClusterOptions())
	if err == nil {
		err = migrate.ApplyAll(t.Context(), dbs, plans)
	}
	if err != nil {
		t.Fatal(err)
	}
	c.URL = c.Shards[0].URL(embedded.Owner)
	c.DB = chtest.Dial(t, c.URL)
}

// Nodes are connections to all shards' nodes, to no database.
func (c *Cluster) Nodes(t testing.TB) []migrate.DB {
	t.Helper()
	var dbs []migrate.DB
	for _, s := range c.Shards {
		dbs = append(dbs, chtest.Dial(t, WithoutDatabase(t, s.URL(embedded.Owner))))
	}
	return dbs
}

// WithoutDatabase is an address without its database, which may not be there yet.
func WithoutDatabase(t testing.TB, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = ""
	return u.String()
}
