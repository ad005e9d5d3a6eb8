package chtest

import (
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
	Open(t) // the shared engine is up
	conn := Dial(t, Server(t).NativeURL(embedded.Owner)[:len(Server(t).NativeURL(embedded.Owner))-len("/"+embedded.Database)])
	if err := conn.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestTwoEngines(t *testing.T) {
	if testing.Short() {
		t.Skip("starts two engines")
	}
	a, b := StartEngine(t, embedded.Config{}), StartEngine(t, embedded.Config{})
	if a.HTTPAddr() == b.HTTPAddr() || a.TCPAddr() == b.TCPAddr() {
		t.Fatalf("two engines on %s and %s", a.HTTPAddr(), a.TCPAddr())
	}
}
