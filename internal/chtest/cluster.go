package chtest

import (
	"crypto/rand"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/heplake/heplake/internal/embedded"
)

// ClusterName is the name of the cluster of [StartCluster].
const ClusterName = "lake"

// StartCluster starts engines that know each other as the shards of a cluster,
// one replica each, and returns them in the shards' order. Their users have the
// same passwords. They have no Keeper:
// neither ReplicatedMergeTree nor ON CLUSTER work. Each stops at the test's end.
func StartCluster(t testing.TB, shards int) []*embedded.Server {
	t.Helper()
	configs := ClusterConfigs(t, shards)
	servers := make([]*embedded.Server, shards)
	for i, c := range configs {
		servers[i] = StartEngine(t, c)
	}
	return servers
}

// ClusterConfigs are the configurations of the engines of [StartCluster], for
// tests that start and stop them themselves.
func ClusterConfigs(t testing.TB, shards int) []embedded.Config {
	t.Helper()
	configs := make([]embedded.Config, shards)
	users := map[embedded.User]string{}
	for _, u := range embedded.Users() {
		users[u] = rand.Text()
	}
	credentials, err := json.Marshal(users)
	if err != nil {
		t.Fatal(err)
	}
	for i := range configs {
		configs[i].Dir = t.TempDir()
		if err := os.WriteFile(filepath.Join(configs[i].Dir, "credentials.json"), credentials, 0o600); err != nil {
			t.Fatal(err)
		}
		configs[i].HTTP, configs[i].TCP = FreeAddr(t), FreeAddr(t)
		configs[i].MemoryLimit = memoryLimit / 2
	}
	Know(t, configs)
	return configs
}

// Know sets the configurations' ExtraConfig so that the engines are the shards of
// one cluster, and know no other shards.
func Know(t testing.TB, configs []embedded.Config) {
	t.Helper()
	var shards strings.Builder
	for _, c := range configs {
		host, port, err := net.SplitHostPort(c.TCP)
		if err != nil {
			t.Fatal(err)
		}
		shards.WriteString("<shard><internal_replication>true</internal_replication><replica><host>" + host + "</host><port>" + port + "</port></replica></shard>")
	}
	for i := range configs {
		configs[i].ExtraConfig = "<macros><shard>" + strconv.Itoa(i+1) + "</shard><replica>1</replica></macros>" +
			"<remote_servers><" + ClusterName + "><secret>between tests</secret>" + shards.String() + "</" + ClusterName + "></remote_servers>"
	}
}
