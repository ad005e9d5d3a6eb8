package assemble_test

import (
	"testing"
	"time"

	"github.com/heplake/heplake/internal/assemble"
	"github.com/heplake/heplake/internal/laketest"
)

// TestReleaseBeforeTheLastSign: the server's clock was set back by a day, all signs of
// life are of a time to come. Who gives the work back is believed all the same: the next
// process need not wait until the lease has run out.
func TestReleaseBeforeTheLastSign(t *testing.T) {
	l := laketest.Open(t)
	if err := l.DB.Exec(t.Context(), "INSERT INTO assembler (time, holder, done) SELECT now64(6) + toIntervalDay(1), '', now64(6)"); err != nil {
		t.Fatal(err)
	}
	a := assemble.New(assemble.Config{Conn: l.DB, Database: l.Name, Share: 1, Lease: 6 * time.Second})
	stop := run(t, a)
	for end := time.Now().Add(time.Minute); query(t, l, "SELECT toString(count() >= 4) FROM assembler")[0] != "1"; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the lease was not renewed within a minute")
		}
	}
	stop()
	if err := a.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := query(t, l, "SELECT holder FROM assembler ORDER BY time DESC, holder DESC LIMIT 1"); got[0] != "" {
		t.Errorf("%q has the work", got[0])
	}
}
