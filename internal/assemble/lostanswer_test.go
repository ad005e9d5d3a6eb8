package assemble_test

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/heplake/heplake/bench/truth"
	"github.com/heplake/heplake/internal/assemble"
	"github.com/heplake/heplake/internal/laketest"
)

var errLost = errors.New("the connection was lost")

// unsure is a connection that is lost in many inserts: of some nothing was stored, of
// others all, and nobody hears of it.
type unsure struct {
	driver.Conn
	rng *rand.Rand
	// seldom is of how many inserts one fails.
	seldom       int
	lost, unsaid int
}

func (c *unsure) InsertFormat(ctx context.Context, format, query string, data io.Reader) error {
	switch c.rng.IntN(2 * c.seldom) {
	case 0:
		c.lost++
		return errLost
	case 1:
		c.unsaid++
		if err := c.Conn.InsertFormat(ctx, format, query, data); err != nil {
			return err
		}
		return errLost
	}
	return c.Conn.InsertFormat(ctx, format, query, data)
}

// TestTruthWithLostAnswers: an insert that failed may have stored its rows. What they
// say must not outlive what is known later.
func TestTruthWithLostAnswers(t *testing.T) {
	corpus, err := truth.New(truth.Config{Seed: 21, Calls: 400, Registrations: 40, Start: shortlyBefore(time.Now())})
	if err != nil {
		t.Fatal(err)
	}
	packets := corpus.Data()
	rng := rand.New(rand.NewPCG(5, 6))
	rng.Shuffle(len(packets), func(i, j int) { packets[i], packets[j] = packets[j], packets[i] })
	l := laketest.Open(t)
	conn := &unsure{Conn: l.DB, rng: rng, seldom: 2}
	a := assemble.New(assemble.Config{Conn: conn, Database: l.Name})
	const parts = 8
	for i := range parts {
		feed(t, l, packets[i*len(packets)/parts:(i+1)*len(packets)/parts], 1000, false, nil, holding{}, func() {})
		if err := a.Pass(t.Context()); err != nil && !errors.Is(err, errLost) {
			t.Fatal(err)
		}
	}
	for err = errLost; errors.Is(err, errLost); {
		err = a.Settle(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	if conn.lost == 0 || conn.unsaid == 0 {
		t.Fatalf("want both kinds of loss: %d inserts, %d answers", conn.lost, conn.unsaid)
	}
	compareWithTruth(t, l, corpus)
	attempts := 0
	for i := range corpus.Minutes {
		attempts += corpus.Minutes[i].Attempts
	}
	for _, table := range []string{"kpi_1m", "kpi_1h", "kpi_1d"} {
		compare(t, table, query(t, l, "SELECT toString(sum(attempts)) FROM "+table+" FINAL WHERE dim = 'all'"), []string{figures(attempts)})
	}
}
