package sqluser

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/heplake/heplake/internal/chtest"
	"github.com/heplake/heplake/internal/embedded"
	"github.com/heplake/heplake/schema"
	"github.com/heplake/heplake/schema/migrate"
)

func TestMain(m *testing.M) { chtest.Main(m) }

// lake is an engine of the test's own, with rows of the tenants a and b in every
// table that has tenants.
type lake struct {
	*embedded.Server
	file   *File
	schema schema.Options
}

var words = regexp.MustCompile(`\w+`)

func openLake(t *testing.T) *lake {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "clickhouse")
	trunks, err := schema.ParseTrunks(map[string][]string{"every": {"::/0"}})
	if err != nil {
		t.Fatal(err)
	}
	l := &lake{file: &File{Path: FilePath(dir)}, schema: schema.Options{Trunks: trunks}}
	l.Server = chtest.StartEngine(t, embedded.Config{
		Dir: dir, AccessFile: l.file.Path,
		Access: func() (embedded.Access, error) { return l.file.Access(l.schema) },
	})
	conn := chtest.Dial(t, strings.TrimSuffix(l.URL(embedded.Owner), "/"+embedded.Database))
	steps, err := migrate.Plan(t.Context(), conn, l.schema)
	if err != nil {
		t.Fatal(err)
	}
	if err := migrate.Apply(t.Context(), conn, steps); err != nil {
		t.Fatal(err)
	}
	for _, table := range slices.Concat(schema.Tables(), schema.Derived()) {
		// What the rows' age is told from, so that none goes for its age.
		columns, values := "", ""
		for _, word := range words.FindAllString(table.TTLFrom+" time", -1) {
			if _, ok := table.Column(word); ok && !strings.Contains(columns, word) {
				columns, values = columns+", "+word, values+", now()"
			}
		}
		age, ages := strings.TrimPrefix(columns, ", "), strings.TrimPrefix(values, ", ")
		columns, values = "tenant"+columns, "t"+values
		if table.Name == schema.CallRows.Name { // a call that every view of calls has
			columns, values = columns+", method, opened, outcome, mos_avg", values+", 'INVITE', 1, 'failed', 3.5"
		}
		if _, ok := table.Column("dim"); ok { // an address, which views of trunks have
			columns, values = columns+", dim", values+", 'src_ip'"
		}
		if _, ok := table.Column("tenant"); !ok {
			columns, values = age, ages
		}
		for _, tenant := range []string{"a", "b", "b"} {
			l.owner(t, fmt.Sprintf("INSERT INTO heplake.%s (%s) SELECT %s FROM (SELECT '%s' AS t)", table.Name, columns, values, tenant))
		}
	}
	return l
}

// ask sends a query over HTTP and returns the body, and the error's text.
func (l *lake) ask(t *testing.T, user, password, sql string) (string, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+l.HTTPAddr()+"/?database=heplake", strings.NewReader(sql))
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth(user, password)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		return "", errors.New(string(b))
	}
	return strings.TrimSpace(string(b)), err
}

func (l *lake) owner(t *testing.T, sql string) string {
	t.Helper()
	out, err := l.ask(t, string(embedded.Owner), l.Password(embedded.Owner), sql)
	if err != nil {
		t.Fatalf("%v\n%s", err, sql)
	}
	return out
}

// add makes a user and waits until the engine knows them.
func (l *lake) add(t *testing.T, users ...User) (passwords []string) {
	t.Helper()
	for _, u := range users {
		if u.Limits == (Limits{}) {
			u.Limits = DefaultLimits()
		}
		p := NewPassword()
		if err := l.file.Add(t.Context(), u, Hash(p)); err != nil {
			t.Fatal(err)
		}
		passwords = append(passwords, p)
	}
	last := len(users) - 1
	eventually(t, func() bool { _, err := l.ask(t, users[last].Name, passwords[last], "SELECT 1"); return err == nil })
	return passwords
}

func eventually(t *testing.T, what func() bool) {
	t.Helper()
	for begin := time.Now(); !what(); time.Sleep(100 * time.Millisecond) {
		if time.Since(begin) > time.Minute {
			t.Fatal("it did not come to pass within a minute")
		}
	}
}

// TestTenantsAreApart looks into everything that there is in the database: a
// table or view that a tenant's user may read, and that shows a row of another,
// fails, as does one that has tenants and nobody may read.
func TestTenantsAreApart(t *testing.T) {
	l := openLake(t)
	passwords := l.add(t, User{Name: "alice", Tenants: []string{"a"}}, User{Name: "all"}, User{Name: "both", Tenants: []string{"a", "it's b's", "b"}})
	alice, all, both := passwords[0], passwords[1], passwords[2]
	readable := Readable(l.schema)
	objects := strings.Fields(l.owner(t, "SHOW TABLES FROM heplake"))
	for _, name := range readable {
		if !slices.Contains(objects, name) {
			t.Errorf("%s is to be readable, and is not there", name)
		}
	}
	for _, name := range objects {
		if !slices.Contains(readable, name) {
			for user, password := range map[string]string{"alice": alice, "all": all} {
				if _, err := l.ask(t, user, password, "SELECT * FROM heplake."+name); err == nil || !strings.Contains(err.Error(), "ACCESS_DENIED") {
					t.Errorf("%s reads %s: %v", user, name, err)
				}
			}
			continue
		}
		tenants := "SELECT arrayStringConcat(arraySort(groupArray(tenant)), ',') FROM (SELECT DISTINCT toString(tenant) AS tenant FROM heplake." + name + ")"
		if got := l.owner(t, tenants); got != "a,b" {
			t.Errorf("%s has rows of %q: the test shows nothing", name, got)
		}
		for user, want := range map[string][3]string{"alice": {alice, "a", "1"}, "all": {all, "a,b", ""}, "both": {both, "a,b", ""}} {
			if got, err := l.ask(t, user, want[0], tenants); err != nil || got != want[1] {
				t.Errorf("%s sees rows of %q in %s, should be %q: %v", user, got, name, want[1], err)
			}
			// What counts rows without reading them must not count others'.
			if want[2] == "" {
				continue
			}
			for _, sql := range []string{"SELECT count() FROM heplake." + name, "SELECT count() FROM heplake." + name + " WHERE tenant != ''"} {
				if got, err := l.ask(t, user, want[0], sql); err != nil || got != want[2] {
					t.Errorf("%s: %s: %q, %v; should be %s", user, sql, got, err, want[2])
				}
			}
		}
	}
	for _, sql := range []string{
		// Other ways to the same rows.
		"SELECT * FROM merge('heplake', '^sip$')",
		"SELECT * FROM mergeTreeIndex('heplake', 'sip')",
		"SELECT * FROM remote('127.0.0.1', heplake.sip)",
		"SELECT * FROM cluster('default', heplake.sip)",
		"SELECT * FROM loop(heplake, sip)",
		"SELECT * FROM file('*', 'LineAsString')",
		"SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString', 'l String')",
		"SELECT * FROM executable('x', 'TSV', 'l String', (SELECT 1))",
		"SELECT * FROM heplake.sip SETTINGS additional_table_filters = {'heplake.sip': '1'}",
		"SELECT count() FROM heplake.sip WHERE tenant = 'b'",
		"SELECT count() FROM heplake.calls WHERE tenant = 'b' OR 1",
		"SELECT uniq(tenant) FROM heplake.sip",
		"SELECT max(tenant), min(tenant) FROM heplake.sip",
		"SELECT anyLast(tenant) FROM heplake.messages",
	} {
		got, err := l.ask(t, "alice", alice, sql)
		if err == nil && (strings.Contains(got, "b\t") || strings.HasSuffix(got, "b") || got == "2" || got == "3") {
			t.Errorf("%s: %q", sql, got)
		}
	}
	// Heplake's own users see all rows, as before.
	for _, u := range []embedded.User{embedded.Writer, embedded.Reader} {
		if got, err := l.ask(t, string(u), l.Password(u), "SELECT uniq(tenant) FROM heplake.sip"); err != nil || got != "2" {
			t.Errorf("%s sees %q tenants, %v", u, got, err)
		}
	}
}

// TestLimits: they are in force, they can be lowered, and nothing raises them.
func TestLimits(t *testing.T) {
	l := openLake(t)
	limits := DefaultLimits()
	limits.MaxRowsToRead, limits.MaxResultRows, limits.QueriesPerHour = 1000, 100, 1000
	few := limits
	few.QueriesPerHour = 1
	passwords := l.add(t, User{Name: "few", Limits: few, Hosts: []string{"127.0.0.0/8", "::1"}}, User{Name: "far", Limits: limits, Hosts: []string{"192.0.2.0/24"}}, User{Name: "alice", Limits: limits})
	password := passwords[2]
	const (
		allowed    = ""
		denied     = "ACCESS_DENIED"
		constraint = "SETTING_CONSTRAINT_VIOLATION"
	)
	l.owner(t, "SYSTEM FLUSH LOGS") // so that the logs are there to be refused
	for _, test := range []struct{ sql, want string }{
		{"SELECT count() FROM heplake.calls SETTINGS max_execution_time = 5, max_threads = 1, max_memory_usage = 100000000", allowed},
		{"SELECT 1 SETTINGS max_execution_time = 0", constraint},
		{"SELECT 1 SETTINGS max_execution_time = 3600", constraint},
		{"SELECT 1 SETTINGS max_memory_usage = 0", constraint},
		{"SELECT 1 SETTINGS max_memory_usage_for_user = 0", constraint},
		{"SELECT 1 SETTINGS max_rows_to_read = 0", constraint},
		{"SELECT 1 SETTINGS max_rows_to_read = 100000", constraint},
		{"SELECT 1 SETTINGS max_result_rows = 0", constraint},
		{"SELECT 1 SETTINGS max_threads = 64", constraint},
		{"SELECT 1 SETTINGS max_concurrent_queries_for_user = 100", constraint},
		{"SELECT 1 SETTINGS max_temporary_data_on_disk_size_for_user = 0", constraint},
		{"SELECT 1 SETTINGS log_queries = 0", constraint},
		{"SELECT 1 SETTINGS query_cache_share_between_users = 1", constraint},
		{"SELECT 1 SETTINGS readonly = 0", "READONLY"},
		{"SELECT 1 SETTINGS allow_ddl = 1", "QUERY_IS_PROHIBITED"},
		{"SELECT count() FROM numbers(2000)", "TOO_MANY_ROWS"},
		{"SELECT * FROM numbers(500)", "TOO_MANY_ROWS"},
		{"INSERT INTO heplake.sip (tenant) VALUES ('a')", denied},
		{"DROP TABLE heplake.sip", denied},
		{"CREATE TABLE heplake.x (n UInt8) ENGINE = Memory", denied},
		{"ALTER TABLE heplake.sip DELETE WHERE 1", denied},
		{"SELECT * FROM system.query_log", denied},
		{"SELECT * FROM system.processes", denied},
		{"SELECT * FROM system.users", denied},
		{"SELECT * FROM system.row_policies", denied},
		{"SELECT * FROM system.parts", denied},
		{"SELECT * FROM system.part_log", denied},
		{"SELECT * FROM system.settings_profiles", denied},
		{"SELECT * FROM heplake.meta", denied},
		{"SELECT * FROM heplake.assembler", denied},
		{"SELECT * FROM heplake.messages_feed", denied},
		{"SHOW CREATE USER owner", denied},
	} {
		t.Run(test.sql, func(t *testing.T) {
			_, err := l.ask(t, "alice", password, test.sql)
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
	if _, err := l.ask(t, "few", passwords[0], "SELECT count() FROM heplake.calls"); err != nil {
		t.Errorf("the first query of an hour: %v", err)
	}
	if _, err := l.ask(t, "few", passwords[0], "SELECT count() FROM heplake.calls"); err == nil || !strings.Contains(err.Error(), "QUOTA_EXCEEDED") {
		t.Errorf("the second query of an hour: %v", err)
	}
	if _, err := l.ask(t, "far", passwords[1], "SELECT 1"); err == nil || !strings.Contains(err.Error(), "AUTHENTICATION_FAILED") {
		t.Errorf("from an address that is none of theirs: %v", err)
	}
	// Bulk formats.
	for format, magic := range map[string]string{"Parquet": "PAR1", "ArrowStream": "\xff\xff\xff\xff", "Arrow": "ARROW1", "CSVWithNames": `"tenant"`} {
		if got, err := l.ask(t, "alice", password, "SELECT tenant, start, from_user FROM heplake.calls FORMAT "+format); err != nil || !strings.HasPrefix(got, magic) {
			t.Errorf("%s begins with %.20q, %v", format, got, err)
		}
	}
}

// TestLife: a user outlives a restart, gets a new password, and goes.
func TestLife(t *testing.T) {
	l := openLake(t)
	ctx := t.Context()
	password := l.add(t, User{Name: "alice", Tenants: []string{"a"}, Created: time.Now()},
		User{Name: "brief", Tenants: []string{"a"}, Expires: time.Now().Add(-time.Minute)}, User{Name: "soon", Tenants: []string{"a"}, Expires: time.Now().Add(time.Hour)})
	if _, err := l.ask(t, "brief", password[1], "SELECT 1"); err == nil {
		t.Error("a user whose time is up logs in")
	}
	if got, err := l.ask(t, "soon", password[2], "SELECT count() FROM heplake.sip"); err != nil || got != "1" {
		t.Errorf("%q, %v", got, err)
	}
	if err := l.file.Add(ctx, User{Name: "alice", Limits: DefaultLimits()}, Hash("x")); !errors.Is(err, ErrExists) {
		t.Errorf("the same name again: %v", err)
	}
	next := NewPassword()
	if err := l.file.Rotate(ctx, "alice", Hash(next)); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool { _, err := l.ask(t, "alice", next, "SELECT 1"); return err == nil })
	if _, err := l.ask(t, "alice", password[0], "SELECT 1"); err == nil {
		t.Error("the old password is good still")
	}
	if err := l.file.Remove(ctx, "alice"); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool {
		_, err := l.ask(t, "alice", next, "SELECT 1")
		return err != nil && strings.Contains(err.Error(), "AUTHENTICATION_FAILED")
	})
	if err := l.file.Remove(ctx, "alice"); !errors.Is(err, ErrUnknown) {
		t.Errorf("removed again: %v", err)
	}
	users, err := l.file.List(ctx)
	if err != nil || len(users) != 2 || users[0].Name != "brief" {
		t.Errorf("%v, %v", users, err)
	}
	if info, err := os.Stat(l.file.Path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file's mode: %v, %v", info.Mode(), err)
	}
	// A file that cannot be read leaves the engine as it is.
	if err := os.WriteFile(l.file.Path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	time.Sleep(2 * time.Second)
	if got, err := l.ask(t, "soon", password[2], "SELECT 1"); err != nil || got != "1" {
		t.Errorf("after a bad file: %q, %v", got, err)
	}
}

func TestCheck(t *testing.T) {
	good := User{Name: "alice", Limits: DefaultLimits()}
	if err := good.Check(); err != nil {
		t.Error(err)
	}
	for what, spoil := range map[string]func(*User){
		"no name":      func(u *User) { u.Name = "" },
		"capitals":     func(u *User) { u.Name = "Alice" },
		"markup":       func(u *User) { u.Name = "a><b" },
		"reserved":     func(u *User) { u.Name = "owner" },
		"empty tenant": func(u *User) { u.Tenants = []string{""} },
		"no limit":     func(u *User) { u.Limits.MaxMemory = 0 },
		"host name":    func(u *User) { u.Hosts = []string{"example.org"} },
	} {
		u := good
		spoil(&u)
		if u.Check() == nil {
			t.Errorf("%s passes", what)
		}
	}
}
