package deploy

import (
	"encoding/xml"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestClusterFiles holds the files of the cluster against each other: its name,
// the nodes, and what each node must say of itself.
func TestClusterFiles(t *testing.T) {
	for _, name := range []string{"cluster.xml", "cluster-users.xml", "keeper.xml"} {
		f, err := os.Open(filepath.Join("clickhouse", name))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = f.Close() }()
		for d := xml.NewDecoder(f); ; {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
	}
	b, err := os.ReadFile(filepath.Join("clickhouse", "cluster.xml"))
	if err != nil {
		t.Fatal(err)
	}
	var config struct {
		Macros struct {
			Shard   variable `xml:"shard"`
			Replica variable `xml:"replica"`
		} `xml:"macros"`
		Servers struct {
			Cluster struct {
				XMLName xml.Name
				Secret  variable `xml:"secret"`
				Shards  []struct {
					Replicas []struct {
						Host string `xml:"host"`
					} `xml:"replica"`
				} `xml:"shard"`
			} `xml:",any"`
		} `xml:"remote_servers"`
	}
	if err := xml.Unmarshal(b, &config); err != nil {
		t.Fatal(err)
	}
	services := at(documents(t)["compose/cluster.yaml"][0], "services")
	if got := at(services, "heplake", "environment", "HEPLAKE_CLICKHOUSE_CLUSTER"); got != config.Servers.Cluster.XMLName.Local {
		t.Errorf("heplake's cluster is %v, ClickHouse's %s", got, config.Servers.Cluster.XMLName.Local)
	}
	var hosts []string
	for i, shard := range config.Servers.Cluster.Shards {
		for j, replica := range shard.Replicas {
			hosts = append(hosts, replica.Host)
			environment := at(services, replica.Host, "environment")
			want := []any{string(rune('1' + i)), string(rune('1' + j))}
			if got := []any{at(environment, config.Macros.Shard.FromEnv), at(environment, config.Macros.Replica.FromEnv)}; !slices.Equal(got, want) {
				t.Errorf("%s says it is shard and replica %v, and is %v", replica.Host, got, want)
			}
			if at(environment, config.Servers.Cluster.Secret.FromEnv) == nil {
				t.Errorf("%s has no secret", replica.Host)
			}
		}
	}
	var nodes []string
	for _, name := range slices.Sorted(maps.Keys(services.(document))) {
		if strings.HasPrefix(name, "clickhouse-") {
			nodes = append(nodes, name)
		}
	}
	slices.Sort(hosts)
	if !slices.Equal(nodes, hosts) {
		t.Errorf("compose runs %v, the cluster has %v", nodes, hosts)
	}
}

// variable is an element whose text comes from the environment.
type variable struct {
	FromEnv string `xml:"from_env,attr"`
}
