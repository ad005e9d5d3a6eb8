package sqluser

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/heplake/heplake/internal/chtest"
	"github.com/heplake/heplake/internal/laketest"
	"github.com/heplake/heplake/schema"
)

// every is each statement that there is, for a user with everything.
func every(o schema.Options) []string {
	u := User{Name: "alice", Tenants: []string{"a", `it's \ b's`}, Hosts: []string{"192.0.2.0/24", "::1"}, Limits: DefaultLimits(), Expires: time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC)}
	plain := User{Name: "bob", Limits: DefaultLimits()}
	u.Limits.QueriesPerHour = 10
	return slices.Concat(createSQL(&u, Hash("x"), o), createSQL(&plain, Hash("y"), o), []string{rotateSQL(&u, Hash("z"), o)}, dropSQL("alice", o))
}

// TestStatements has ClickHouse parse every statement, on one node and on a
// cluster, and checks the order that keeps a user from seeing too much meanwhile.
func TestStatements(t *testing.T) {
	db := chtest.Dial(t, chtest.URL(t))
	for _, o := range []schema.Options{{}, {Database: "other", Cluster: schema.Cluster{Name: "lake", OnCluster: true}}} {
		list := every(o)
		for _, sql := range list {
			var formatted string
			if err := db.QueryRow(t.Context(), "SELECT formatQuerySingleLine("+schema.Quote(sql)+")").Scan(&formatted); err != nil {
				t.Errorf("%v\n%s", err, sql)
			}
			if o.Clustered() && !strings.Contains(formatted, "ON CLUSTER lake") {
				t.Errorf("for one node alone: %s", formatted)
			}
		}
		u := User{Name: "alice", Tenants: []string{"a"}, Limits: DefaultLimits()}
		create := createSQL(&u, Hash("x"), o)
		if last := create[len(create)-1]; !strings.Contains(last, "_sql` TO `alice`") {
			t.Errorf("the last statement is %s, not the right to read", last)
		}
		for _, table := range Readable(o) {
			policies := 0
			for _, sql := range create {
				if strings.Contains(sql, "ROW POLICY") && strings.Contains(sql, "`.`"+table+"` USING") {
					policies++
				}
			}
			if policies != 2 {
				t.Errorf("%s has %d policies, of the user and of everyone else", table, policies)
			}
		}
	}
}

// TestServer makes, turns and removes users on a ClickHouse that takes CREATE USER:
// the one that HEPLAKE_TEST_CLICKHOUSE_URL names. The embedded engine takes none.
func TestServer(t *testing.T) {
	if os.Getenv(chtest.EnvURL) == "" {
		t.Skipf("the embedded engine has no access storage; %s names no other ClickHouse", chtest.EnvURL)
	}
	l := laketest.Open(t, "kamailio-hep3-udp-sip-calls-a")
	s := &Server{DB: l.DB, Schema: schema.Options{Database: l.Name}}
	name := "user_" + l.Name
	ctx := t.Context()
	t.Cleanup(func() { _ = s.Remove(context.Background(), name) })
	password := NewPassword()
	u := User{Name: name, Tenants: []string{"other"}, Limits: DefaultLimits(), Created: time.Now().UTC()}
	if err := s.Add(ctx, u, Hash(password)); err != nil {
		t.Fatal(err)
	}
	as := func(password string) (n uint64, err error) {
		address := strings.Replace(l.URL, strings.SplitN(strings.SplitN(l.URL, "//", 2)[1], "@", 2)[0], name+":"+password, 1)
		err = chtest.Dial(t, address).QueryRow(ctx, "SELECT count() FROM sip").Scan(&n)
		return n, err
	}
	if n, err := as(password); err != nil || n != 0 {
		t.Errorf("sees %d rows of another tenant, %v", n, err)
	}
	if err := s.Sync(ctx); err != nil {
		t.Error(err)
	}
	next := NewPassword()
	if err := s.Rotate(ctx, name, Hash(next)); err != nil {
		t.Fatal(err)
	}
	if _, err := as(password); err == nil {
		t.Error("the old password is good still")
	}
	if _, err := as(next); err != nil {
		t.Error(err)
	}
	users, err := s.List(ctx)
	if err != nil || len(users) != 1 || fmt.Sprint(users[0].Tenants) != "[other]" {
		t.Errorf("%v, %v", users, err)
	}
	if err := s.Remove(ctx, name); err != nil {
		t.Fatal(err)
	}
	if _, err := as(next); err == nil {
		t.Error("a user who was removed logs in")
	}
	var n uint64
	if err := l.DB.QueryRow(ctx, "SELECT count() FROM sip").Scan(&n); err != nil || n == 0 {
		t.Errorf("others see %d rows, %v", n, err)
	}
}
