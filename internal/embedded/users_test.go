package embedded

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"
)

func TestRights(t *testing.T) {
	s := start(t, testConfig(filepath.Join(t.TempDir(), "clickhouse")))
	createTable(t, s)
	must(t, s, Owner, "CREATE DATABASE heplake_other ENGINE = Atomic")
	must(t, s, Owner, "CREATE TABLE heplake_other.t (n UInt32) ENGINE = MergeTree ORDER BY n")
	must(t, s, Owner, "CREATE DATABASE private ENGINE = Atomic")
	must(t, s, Owner, "CREATE TABLE private.t (n UInt32) ENGINE = MergeTree ORDER BY n")
	// A view writes with the rights of who made it.
	must(t, s, Owner, "CREATE MATERIALIZED VIEW private.v ENGINE = MergeTree ORDER BY n AS SELECT n FROM heplake.t")

	const (
		allowed    = ""
		denied     = "ACCESS_DENIED"
		constraint = "SETTING_CONSTRAINT_VIOLATION"
		readonly   = "READONLY"
	)
	for _, test := range []struct {
		user User
		sql  string
		want string // "" or the name of ClickHouse's error
	}{
		{Owner, "SELECT count() FROM system.users", allowed},
		{Owner, "ALTER TABLE heplake.t ADD COLUMN IF NOT EXISTS m UInt8", allowed},
		{Owner, "SYSTEM FLUSH LOGS", allowed},
		{Owner, "SELECT count() >= 0 FROM system.query_log", allowed},
		{Owner, "SELECT count() >= 0 FROM system.part_log", allowed},
		{Owner, "SELECT count() >= 0 FROM system.query_views_log", allowed},

		{Writer, "INSERT INTO heplake.t (n) VALUES (1)", allowed},
		{Writer, "INSERT INTO heplake_other.t VALUES (1)", allowed},
		{Writer, "SELECT count() FROM heplake.t", allowed},
		{Writer, "SELECT sum(bytes_on_disk) FROM system.parts", allowed},
		{Writer, "SELECT free_space FROM system.disks", allowed},
		{Writer, "INSERT INTO heplake.t (n) SETTINGS insert_deduplication_token = 'a' VALUES (1)", allowed},
		{Writer, "INSERT INTO private.t VALUES (1)", denied},
		{Writer, "SELECT * FROM private.v", denied},
		{Writer, "SELECT * FROM system.users", denied},
		{Writer, "SELECT * FROM system.query_log", denied},
		{Writer, "DROP TABLE heplake.t", denied},
		{Writer, "CREATE TABLE heplake.x (n UInt8) ENGINE = Memory", denied},
		{Writer, "SELECT 1 SETTINGS allow_ddl = 1", "QUERY_IS_PROHIBITED"},
		{Writer, "TRUNCATE TABLE heplake.t", denied},
		{Writer, "ALTER TABLE heplake.t DELETE WHERE 1", denied},
		{Writer, "SELECT * FROM file('/etc/passwd', 'LineAsString')", denied},
		{Writer, "SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString', 'l String')", denied},
		{Writer, "SYSTEM STOP MERGES heplake.t", denied},
		{Writer, "SYSTEM STOP LISTEN HTTP", denied},

		{Reader, "SELECT count() FROM heplake.t", allowed},
		{Reader, "SELECT count() FROM heplake_other.t", allowed},
		{Reader, "SHOW TABLES FROM heplake", allowed},
		{Reader, "DESCRIBE TABLE heplake.t", allowed},
		{Reader, "SELECT 1 SETTINGS max_execution_time = 5, max_threads = 1", allowed},
		{Reader, "SELECT 1 SETTINGS max_result_rows = 10, result_overflow_mode = 'break'", allowed},
		{Reader, "INSERT INTO heplake.t (n) VALUES (1)", denied},
		{Reader, "CREATE TABLE heplake.x (n UInt8) ENGINE = Memory", denied},
		{Reader, "DROP TABLE heplake.t", denied},
		{Reader, "SELECT * FROM private.t", denied},
		{Reader, "SELECT * FROM system.query_log", denied},
		{Reader, "SELECT * FROM system.processes", denied},
		{Reader, "SELECT * FROM file('/etc/passwd', 'LineAsString')", denied},
		{Reader, "SELECT * FROM remote('127.0.0.1', system.one)", denied},
		{Reader, "SELECT 1 SETTINGS readonly = 0", readonly},
		{Reader, "SELECT 1 SETTINGS max_execution_time = 0", constraint},
		{Reader, "SELECT 1 SETTINGS max_execution_time = 3600", constraint},
		{Reader, "SELECT 1 SETTINGS max_memory_usage = 0", constraint},
		{Reader, "SELECT 1 SETTINGS max_memory_usage = 1000000000000", constraint},
		{Reader, "SELECT 1 SETTINGS max_result_rows = 0", constraint},
		{Reader, "SELECT 1 SETTINGS max_result_bytes = 0", constraint},
		{Reader, "SELECT * FROM numbers(2000000)", "TOO_MANY_ROWS"},

		{Exporter, "SELECT count() FROM heplake.t SETTINGS max_execution_time = 3600, max_threads = 1", allowed},
		{Exporter, "SELECT * FROM numbers(2000000) FORMAT Null", allowed},
		{Exporter, "INSERT INTO heplake.t (n) VALUES (1)", denied},
		{Exporter, "SELECT * FROM private.t", denied},
		{Exporter, "SELECT * FROM file('/etc/passwd', 'LineAsString')", denied},
		{Exporter, "SELECT 1 SETTINGS readonly = 0", readonly},
		{Exporter, "SELECT 1 SETTINGS max_execution_time = 0", constraint},
		{Exporter, "SELECT 1 SETTINGS max_memory_usage = 0", constraint},
	} {
		t.Run(fmt.Sprintf("%s: %s", test.user, test.sql), func(t *testing.T) {
			_, err := ask(t, s, test.user, test.sql)
			switch {
			case test.want == allowed && err != nil:
				t.Error(err)
			case test.want != allowed && err == nil:
				t.Error("allowed")
			case test.want != allowed && !strings.Contains(err.Error(), test.want):
				t.Errorf("refused, but not with %s: %v", test.want, err)
			}
		})
	}
	if got := must(t, s, Owner, "SELECT count() FROM private.v"); got != "2" {
		t.Errorf("the view has %s rows, want the writer's 2", got)
	}
}

func TestLogin(t *testing.T) {
	s := start(t, testConfig(filepath.Join(t.TempDir(), "clickhouse")))
	for _, test := range []struct {
		user     User
		password string
	}{
		{Owner, ""},
		{Owner, s.Password(Reader)},
		{Reader, "x"},
		{"nobody", ""},
		// The user of the engine's own session.
		{"default", ""},
		{"default", s.Password(Owner)},
	} {
		if _, err := post(t, s, test.user, test.password, "SELECT 1"); err == nil {
			t.Errorf("%s logs in with %q over HTTP", test.user, test.password)
		}
		conn, err := clickhouse.Open(&clickhouse.Options{
			Addr: []string{s.TCPAddr()},
			Auth: clickhouse.Auth{Username: string(test.user), Password: test.password},
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := conn.Exec(t.Context(), "SELECT 1"); err == nil {
			t.Errorf("%s logs in with %q over the native protocol", test.user, test.password)
		}
		_ = conn.Close()
	}
}

func TestCredentials(t *testing.T) {
	dir := t.TempDir()
	first, err := loadCredentials(dir)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, u := range Users() {
		if len(first[u]) < 26 || seen[first[u]] {
			t.Errorf("%s has the password %q", u, first[u])
		}
		seen[first[u]] = true
	}
	again, err := loadCredentials(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range Users() {
		if again[u] != first[u] {
			t.Errorf("%s: password changed", u)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "credentials.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := loadCredentials(dir); err == nil {
		t.Error("a broken file is replaced silently: the user's tools would keep the old password")
	}
}

// TestModes: signalling and passwords are for the user heplake runs as.
func TestModes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "clickhouse")
	start(t, testConfig(dir))
	for name, want := range map[string]fs.FileMode{
		".": 0o700, "data": 0o700, "logs": 0o700,
		"credentials.json": 0o600, "users.xml": 0o600, "config.xml": 0o600,
	} {
		st, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if st.Mode().Perm() != want {
			t.Errorf("%s has mode %o, want %o", name, st.Mode().Perm(), want)
		}
	}
}
