package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/heplake/heplake/internal/sqluser"
)

// TestSQLUser keeps users of an engine that does not run.
func TestSQLUser(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("HEPLAKE_DATA_DIR", t.TempDir())
	t.Setenv("HEPLAKE_CLICKHOUSE_URL", "")
	call := func(args ...string) (string, error) {
		var out bytes.Buffer
		root := newRoot()
		root.SetOut(&out)
		root.SetArgs(append([]string{"sql", "user"}, args...))
		err := root.ExecuteContext(t.Context())
		return out.String(), err
	}
	if _, err := call("list"); !errors.Is(err, errNotFound) {
		t.Errorf("list of nobody: %v", err)
	}
	added, err := call("add", "alice", "--tenant", "acme", "--tenant", "b", "--max-memory", "1GiB", "--expires", "90d")
	if err != nil || !strings.Contains(added, "password  ") || !strings.Contains(added, "next start") {
		t.Fatalf("%q, %v", added, err)
	}
	rotated, err := call("rotate", "alice")
	if err != nil || rotated == added {
		t.Errorf("%q, %v", rotated, err)
	}
	out, err := call("list", "-o", "json")
	var users []sqluser.User
	if err != nil || json.Unmarshal([]byte(out), &users) != nil || len(users) != 1 {
		t.Fatalf("%q, %v", out, err)
	}
	u := users[0]
	if u.Name != "alice" || strings.Join(u.Tenants, " ") != "acme b" || u.Limits.MaxMemory != 1<<30 || u.Expires.Sub(u.Created) != 90*24*time.Hour {
		t.Errorf("%+v", u)
	}
	if strings.Contains(out, "password") {
		t.Errorf("the list shows passwords: %s", out)
	}
	if out, err := call("list"); err != nil || !strings.Contains(out, "acme, b") {
		t.Errorf("%q, %v", out, err)
	}
	for _, args := range [][]string{{"add", "owner"}, {"add", "bob", "--max-time", "0"}, {"add", "bob", "--expires", "2001-01-01"}, {"add", "bob", "--max-memory", "much"}, {"add", "alice"}} {
		if out, err := call(args...); err == nil {
			t.Errorf("%q is taken: %s", args, out)
		}
	}
	if _, err := call("remove", "alice"); err != nil {
		t.Error(err)
	}
	for _, verb := range []string{"remove", "rotate"} {
		if _, err := call(verb, "alice"); !errors.Is(err, errNotFound) {
			t.Errorf("%s of nobody: %v", verb, err)
		}
	}
}
