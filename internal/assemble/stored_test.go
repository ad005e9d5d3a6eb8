package assemble_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/heplake/heplake/bench/truth"
	"github.com/heplake/heplake/internal/assemble"
	"github.com/heplake/heplake/internal/digest"
	"github.com/heplake/heplake/internal/laketest"
	"github.com/heplake/heplake/schema"
)

// TestDigestsOfWhatIsStored: digests that are made of stored messages say the same of
// each message as those that ingest makes.
func TestDigestsOfWhatIsStored(t *testing.T) {
	corpus, err := truth.New(truth.Config{Seed: 31, Calls: 400, Registrations: 40, Start: shortlyBefore(time.Now())})
	if err != nil {
		t.Fatal(err)
	}
	l := laketest.Open(t)
	feed(t, l, corpus.Data(), 100_000, false, nil, holding{}, func() {})
	l.Bound(t)
	said := func() map[string]bool {
		rows, err := l.DB.Query(t.Context(), "SELECT call_id, digest FROM leg_digests")
		if err != nil {
			t.Fatal(err)
		}
		out := map[string]bool{}
		var d digest.Decoder
		for rows.Next() {
			var id, data string
			if err := rows.Scan(&id, &data); err != nil {
				t.Fatal(err)
			}
			leg, err := d.Decode("default", id, []byte(data))
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range leg.Events {
				out[fmt.Sprintf("%s %+v", id, e)] = true
			}
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		return out
	}
	ingests := said()
	if err := l.DB.Exec(t.Context(), "TRUNCATE TABLE leg_digests"); err != nil {
		t.Fatal(err)
	}
	a := assemble.New(assemble.Config{Conn: l.DB, Database: l.Name, LinkHeaders: schema.DefaultLinkHeaders})
	// Each time other rows lie across the borders of what is read at once.
	for after := range 20 {
		from := l.From.Add(time.Duration(after) * 2 * time.Second)
		if err := a.DigestStored(t.Context(), schema.SIP.Name, from, l.To); err != nil {
			t.Fatal(err)
		}
	}
	of := slices.Sorted(maps.Keys(ingests))
	compare(t, "messages", slices.Sorted(maps.Keys(said())), of)
	if len(of) < 5000 {
		t.Errorf("%d messages", len(of))
	}
}
