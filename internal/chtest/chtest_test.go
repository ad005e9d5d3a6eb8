package chtest

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"testing"

	"github.com/heplake/heplake/internal/embedded"
)

func TestMain(m *testing.M) { Main(m) }

func TestDatabase(t *testing.T) {
	var first string
	t.Run("fresh, usable over HTTP", func(t *testing.T) {
		first = Database(t)
		conn := Dial(t, first)
		var name string
		if err := conn.QueryRow(t.Context(), "SELECT currentDatabase()").Scan(&name); err != nil {
			t.Fatal(err)
		}
		if name != Name(t, first) {
			t.Fatalf("connected to %q, want %q", name, Name(t, first))
		}
		var engine string
		if err := conn.QueryRow(t.Context(), "SELECT engine FROM system.databases WHERE name = $1", name).Scan(&engine); err != nil {
			t.Fatal(err)
		}
		if engine != "Atomic" {
			t.Fatalf("engine %q, want Atomic", engine)
		}
		if second := Database(t); second == first {
			t.Fatalf("two databases named %s", second)
		}
	})
	var n uint64
	conn := Dial(t, URL(t))
	if err := conn.QueryRow(t.Context(), "SELECT count() FROM system.databases WHERE name = $1", Name(t, first)).Scan(&n); err != nil {
		t.Fatal(err)
	}
	if n != 0 {
		t.Fatalf("%s is still there after its test", first)
	}
}

func TestOpenNative(t *testing.T) {
	if os.Getenv(EnvURL) != "" {
		t.Skip("an outside server's native port is not known")
	}
	conn := Dial(t, withoutDatabase(t, Server(t).NativeURL(embedded.Owner)))
	if err := conn.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestTwoEngines shows how a cluster is made of engines: ports known before the
// start, and a secret in place of passwords.
func TestTwoEngines(t *testing.T) {
	if os.Getenv(EnvURL) != "" {
		t.Skip("an outside server is used")
	}
	var configs [2]embedded.Config
	shards := ""
	for i := range configs {
		configs[i].HTTP, configs[i].TCP = FreeAddr(t), FreeAddr(t)
		host, port, err := net.SplitHostPort(configs[i].TCP)
		if err != nil {
			t.Fatal(err)
		}
		shards += "<shard><replica><host>" + host + "</host><port>" + port + "</port></replica></shard>"
	}
	for i := range configs {
		configs[i].ExtraConfig = "<remote_servers><two><secret>between tests</secret>" + shards + "</two></remote_servers>"
		conn := Dial(t, withoutDatabase(t, StartEngine(t, configs[i]).NativeURL(embedded.Owner)))
		for _, sql := range []string{
			"CREATE DATABASE heplake ENGINE = Atomic",
			"CREATE TABLE heplake.local (n UInt32) ENGINE = MergeTree ORDER BY n",
			fmt.Sprintf("INSERT INTO heplake.local VALUES (%d)", 10+i),
		} {
			if err := conn.Exec(t.Context(), sql); err != nil {
				t.Fatal(err)
			}
		}
		if i == 0 {
			continue // the other shard is not there yet
		}
		var sum uint64
		if err := conn.QueryRow(t.Context(), "SELECT sum(n) FROM cluster('two', heplake.local)").Scan(&sum); err != nil {
			t.Fatal(err)
		}
		if sum != 21 {
			t.Errorf("sum over both shards %d, want 21", sum)
		}
	}
}

// withoutDatabase removes the database from an address: it does not exist yet.
func withoutDatabase(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = ""
	return u.String()
}
