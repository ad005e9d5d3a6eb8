package assemble_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/heplake/heplake/internal/laketest"
	"github.com/heplake/heplake/schema"
	"github.com/heplake/heplake/schema/migrate"
)

// TestMigration checks that a database of messages alone, as the first release
// left it, has its calls after the migration, also when that was interrupted.
func TestMigration(t *testing.T) {
	l := laketest.Open(t, "kamailio-hep3-udp-sip-failures-a", "rtpengine-kamailio-hep3-udp-call-with-rtcp-a")
	want := query(t, l, callSQL)
	messages := query(t, l, "SELECT toString(sum(messages)) FROM messages_1m")
	if len(want) == 0 {
		t.Fatal("no calls")
	}
	exec := func(sql string) {
		t.Helper()
		if err := l.DB.Exec(t.Context(), sql); err != nil {
			t.Fatalf("%v\n%s", err, sql)
		}
	}
	for _, f := range schema.Feeds() {
		exec("DROP VIEW " + f.Name + " SYNC")
	}
	for _, v := range schema.Views() {
		exec("DROP VIEW " + v.Name + " SYNC")
	}
	for _, table := range schema.Derived() {
		exec("DROP TABLE " + table.Name + " SYNC")
	}
	exec("DROP TABLE meta SYNC")
	o := schema.Options{Database: l.Name}
	plan := func() migrate.Steps {
		t.Helper()
		steps, err := migrate.Plan(t.Context(), l.DB, o)
		if err != nil {
			t.Fatal(err)
		}
		return steps
	}
	steps := plan()
	if s := steps.String(); strings.Count(s, "what sip has of") != 1 || strings.Count(s, "whose digests the assembler is to make") != 2 {
		t.Errorf("the plan is\n%s", s)
	}
	cut := steps
	for i, st := range steps.Statements {
		if strings.Contains(st.Reason, "the days of sip whose digests") {
			cut.Statements = steps.Statements[:i]
		}
	}
	if len(cut.Statements) == len(steps.Statements) {
		t.Fatal("nothing to be fed")
	}
	if err := migrate.Apply(t.Context(), l.DB, cut); err != nil {
		t.Fatal(err)
	}
	if err := migrate.Apply(t.Context(), l.DB, plan()); err != nil {
		t.Fatal(err)
	}
	if s := plan(); !s.Empty() {
		t.Errorf("a migrated database needs more:\n%s", s)
	}
	l.Pass(t)
	compare(t, "calls", query(t, l, callSQL), want)
	compare(t, "messages", query(t, l, "SELECT toString(sum(messages)) FROM messages_1m"), messages)
	if got := fmt.Sprint(query(t, l, "SELECT toString(countIf(bitAnd(kinds, 4) > 0) > 0) FROM leg_digests")); got != "[1]" {
		t.Error("no digests of reports were made")
	}
}
