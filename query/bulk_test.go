package query

import (
	"strings"
	"testing"
	"time"

	"github.com/heplake/heplake/internal/chhttp"
	"github.com/heplake/heplake/internal/laketest"
	"github.com/heplake/heplake/schema"
)

// TestBulkKeepsToTheTenant wants no row of another tenant's, in any table, and no
// call for what a message of another tenant's says.
func TestBulkKeepsToTheTenant(t *testing.T) {
	l := laketest.Open(t)
	id := "call_id"
	if _, computed := schema.SIP.Column("own_call_id"); computed {
		id = "own_call_id" // what call_id is computed from
	}
	for _, sql := range []string{
		"INSERT INTO sip (time, tenant, " + id + ", correlation_id, method, cseq_method, from_user) SELECT now64(6) - 60, t, 'c', 'c', 'INVITE', 'INVITE', t FROM (SELECT arrayJoin(['mine', 'theirs']) AS t)",
		"INSERT INTO media (time, tenant, call_id) SELECT now64(6) - 60, arrayJoin(['mine', 'theirs']), 'c'",
		"INSERT INTO events (time, tenant, body) SELECT now64(6) - 60, arrayJoin(['mine', 'theirs']), 'x'",
		"INSERT INTO call_rows (tenant, correlation_id, call_ids, method, start, last_seen, outcome, opened, version) SELECT arrayJoin(['mine', 'theirs']), 'c', ['c'], 'INVITE', now64(6) - 60, now64(6) - 50, 'failed', 1, 1",
		"INSERT INTO registration_rows (tenant, call_id, start, last_seen, outcome, version) SELECT arrayJoin(['mine', 'theirs']), 'r', now64(6) - 60, now64(6) - 50, 'registered', 1",
	} {
		if err := l.DB.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	c, err := chhttp.New(l.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ask := func(r BulkRequest) (tenants, count string) {
		t.Helper()
		b, err := NewBulk(l.Name, r)
		if err != nil {
			t.Fatal(err)
		}
		rows, err := c.Read(t.Context(), chhttp.Query{SQL: b.Select + " FORMAT TSV", Params: b.Params})
		if err != nil {
			t.Fatalf("%s: %v\n%s", r.Table, err, b.Select)
		}
		n, err := c.Read(t.Context(), chhttp.Query{SQL: b.Count + " FORMAT TSV", Params: b.Params})
		if err != nil {
			t.Fatalf("%s: %v\n%s", r.Table, err, b.Count)
		}
		return strings.TrimSpace(strings.ReplaceAll(string(rows), "\n", " ")), strings.TrimSpace(string(n))
	}
	for _, table := range []string{"sip", "media", "events", "calls", "registrations", "messages", "failed_calls"} {
		r := BulkRequest{Table: table, Columns: []string{"tenant"}, From: time.Now().Add(-time.Hour)}
		if got, n := ask(r); len(strings.Fields(got)) != 2 || n != "2" {
			t.Errorf("%s without a tenant: %q, %s counted", table, got, n)
		}
		r.Tenant = "mine"
		if got, n := ask(r); got != "mine" || n != "1" {
			t.Errorf("%s of one tenant: %q, %s counted", table, got, n)
		}
		r.Tenant, r.Limit = "", 1
		if got, n := ask(r); len(strings.Fields(got)) != 1 || n != "2" {
			t.Errorf("%s, one row: %q, %s counted", table, got, n)
		}
	}
	r := BulkRequest{Table: "calls", Columns: []string{"tenant"}, From: time.Now().Add(-time.Hour), Filter: "from_user = theirs"}
	if got, n := ask(r); got != "theirs" || n != "1" {
		t.Errorf("calls by what a message says: %q, %s counted", got, n)
	}
	r.Tenant = "mine"
	if got, n := ask(r); got != "" || n != "0" {
		t.Errorf("calls by what another tenant's message says: %q, %s counted", got, n)
	}
}
