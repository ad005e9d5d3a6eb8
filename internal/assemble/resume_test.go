package assemble_test

import (
	"testing"

	"github.com/heplake/heplake/internal/assemble"
	"github.com/heplake/heplake/internal/laketest"
)

// TestChangesThatWaitedAreResumed: a process ended with a change of an old minute that
// was not in the rollups yet, long before it filled the newest ones. The next one counts
// it; what changed longer ago than a change waits was counted.
func TestChangesThatWaitedAreResumed(t *testing.T) {
	l := laketest.Open(t)
	for _, sql := range []string{
		"INSERT INTO call_rows (correlation_id, method, opened, outcome, start, last_seen, version) SELECT 'call' || toString(ago), 'INVITE', 1, 'answered', toStartOfMinute(now()) - toIntervalMinute(ago + 60) AS begun, begun, toUnixTimestamp64Micro(now64(6)) - ago * 60 * 1000000 FROM (SELECT arrayJoin([1, 35, 37]) AS ago)",
		"INSERT INTO kpi_1m (bucket, version) SELECT toStartOfMinute(now()), toUnixTimestamp64Micro(now64(6))",
	} {
		if err := l.DB.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	if err := assemble.New(assemble.Config{Conn: l.DB, Database: l.Name}).Pass(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := query(t, l, "SELECT arrayStringConcat(groupArray(correlation_id), ' ') FROM (SELECT correlation_id FROM call_rows WHERE toStartOfMinute(start) IN (SELECT bucket FROM kpi_1m WHERE attempts > 0) ORDER BY correlation_id)")
	if want := "call1 call35"; got[0] != want {
		t.Errorf("counted are %q, want %q", got[0], want)
	}
}
