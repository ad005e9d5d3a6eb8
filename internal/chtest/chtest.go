// Package chtest gives tests a real ClickHouse. There is no mock of it in
// heplake and no test is skipped for want of it.
//
// A test binary that uses the package declares
//
//	func TestMain(m *testing.M) { chtest.Main(m) }
//
// The first test that asks starts one engine (see internal/embedded) for the
// whole binary, in a temporary directory and on free ports; it stops when the
// binary ends. Each test takes a database of its own with [Database] or [Open],
// so that tests can run in parallel.
//
// HEPLAKE_TEST_CLICKHOUSE_URL (http://user:password@host:8123) makes the tests
// use that server instead; its user must be allowed to create databases.
// HEPLAKE_EMBEDDED_LIBRARY names the engine's library, as everywhere.
package chtest

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/heplake/heplake/internal/embedded"
)

// EnvURL is the variable that names an outside server.
const EnvURL = "HEPLAKE_TEST_CLICKHOUSE_URL"

// memoryLimit keeps several test binaries running at once on a small machine.
const memoryLimit = 2 << 30

// Main runs the tests of a binary and stops the shared engine. It does not
// return.
func Main(m *testing.M) { os.Exit(Run(m)) }

// Run is Main for a TestMain that has more to clean up: it returns the code to
// exit with.
func Run(m *testing.M) int {
	embedded.MaybeChild()
	code := m.Run()
	if err := stopShared(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	return code
}

// shared is the engine of this test binary. A failed start is remembered: every
// test that needs it fails with the same words.
var shared struct {
	once   sync.Once
	dir    string
	server *embedded.Server
	err    error
}

func startShared() (*embedded.Server, error) {
	shared.once.Do(func() {
		if shared.dir, shared.err = os.MkdirTemp("", "heplake-chtest-"); shared.err != nil {
			return
		}
		shared.server, shared.err = embedded.Start(context.Background(), config(embedded.Config{Dir: shared.dir}))
	})
	return shared.server, shared.err
}

func stopShared() error {
	// From here on no test runs: the fields are ours.
	var err error
	if shared.server != nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		err = shared.server.Stop(ctx)
	}
	if shared.dir != "" {
		_ = os.RemoveAll(shared.dir)
	}
	return err
}

// config fills in what every engine of a test has.
func config(c embedded.Config) embedded.Config {
	if c.Library == "" {
		c.Library = os.Getenv("HEPLAKE_EMBEDDED_LIBRARY")
	}
	if c.MemoryLimit == 0 {
		c.MemoryLimit = memoryLimit
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	return c
}

// Server returns the shared engine, for tests that need its users or its native
// port. It fails the test when an outside server is in use.
func Server(t testing.TB) *embedded.Server {
	t.Helper()
	if os.Getenv(EnvURL) != "" {
		t.Fatalf("this test needs the embedded engine: unset %s", EnvURL)
	}
	s, err := startShared()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// StartEngine starts a further engine for this test alone, and stops it at the
// end. Dir may be empty. Addresses left empty are on free loopback ports; two
// engines that must know each other (Config.ExtraConfig with remote_servers)
// take theirs from [FreeAddr].
func StartEngine(t testing.TB, c embedded.Config) *embedded.Server {
	t.Helper()
	if c.Dir == "" {
		c.Dir = filepath.Join(t.TempDir(), "clickhouse")
	}
	s, err := embedded.Start(t.Context(), config(c))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := s.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return s
}

// URL returns the address of the shared server with its owner's user and
// password and without a database, in the form of clickhouse.url.
func URL(t testing.TB) string {
	t.Helper()
	u := serverURL(t)
	u.Path = ""
	return u.String()
}

func serverURL(t testing.TB) *url.URL {
	t.Helper()
	s := os.Getenv(EnvURL)
	if s == "" {
		s = Server(t).URL(embedded.Owner)
	}
	u, err := url.Parse(s)
	if err != nil {
		t.Fatalf("%s: %v", EnvURL, err)
	}
	return u
}

// Database creates an empty Atomic database with a name of its own and returns
// its address in the form of clickhouse.url. It is dropped when the test ends.
// The name begins with embedded.Database, so writer and reader may use it.
func Database(t testing.TB) string {
	t.Helper()
	u := serverURL(t)
	name := embedded.Database + "_" + strings.ToLower(rand.Text()[:10])
	conn := Dial(t, URL(t))
	if err := conn.Exec(t.Context(), "CREATE DATABASE "+name+" ENGINE = Atomic"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// t.Context() has ended by now.
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := conn.Exec(ctx, "DROP DATABASE IF EXISTS "+name+" SYNC"); err != nil {
			t.Error(err)
		}
	})
	u.Path = "/" + name
	return u.String()
}

// Name returns the database in an address.
func Name(t testing.TB, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Trim(u.Path, "/")
}

// Open returns a connection to a fresh database (see [Database]).
func Open(t testing.TB) driver.Conn {
	t.Helper()
	return Dial(t, Database(t))
}

// Dial opens a connection to an address in the form of clickhouse.url, or with
// the scheme clickhouse for the native protocol. It is closed when the test
// ends.
func Dial(t testing.TB, address string) driver.Conn {
	t.Helper()
	opts, err := clickhouse.ParseDSN(address)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := clickhouse.Open(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}
