package assemble

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/heplake/heplake/internal/digest"
)

// shelfLeg is a leg that is written and stored, and random otherwise.
func shelfLeg(rng *rand.Rand, n int) *entry {
	data := make([]byte, 1+rng.IntN(3000))
	for i := range data {
		data[i] = byte(rng.Uint32())
	}
	e := &entry{legID: legID{fmt.Sprint("tenant", n%3), fmt.Sprint("leg-", n)}, kinds: digest.Kinds(rng.Uint32()), digests: digest.Gathered{Data: data}}
	e.first, e.last, e.lastAt, e.came = rng.Int64(), -rng.Int64(), rng.IntN(len(data)), rng.Int64N(2)
	e.whole, e.fresh, e.doubtful = rng.IntN(2) == 0, rng.IntN(2) == 0, rng.IntN(2) == 0
	if rng.IntN(2) == 0 {
		e.assembledAt = time.Now()
		e.row, e.written = rowKey{"a call", rng.Int64()}, rng.Uint64()
		for range rng.IntN(4) {
			e.attempts = append(e.attempts, rng.Int64())
		}
	}
	return e
}

// same compares what an entry says, but for when it was written.
func (e *entry) same(o *entry) bool {
	x, y := *e, *o
	if x.assembledAt.IsZero() != y.assembledAt.IsZero() || !bytes.Equal(x.digests.Data, y.digests.Data) {
		return false
	}
	x.assembledAt, y.assembledAt, x.digests, y.digests = time.Time{}, time.Time{}, digest.Gathered{}, digest.Gathered{}
	return reflect.DeepEqual(x, y)
}

// newTestShelf is a shelf in the folder; failed is the error that it told of.
func newTestShelf(t *testing.T, dir string) (s *shelf, failed *error) {
	t.Helper()
	failed = new(error)
	s, err := newShelf(dir, newMetrics().fetched, func(err error) { *failed = err })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.close(); err != nil && *failed == nil {
			t.Error(err)
		}
	})
	return s, failed
}

// TestShelf puts many more legs on a shelf than it has room for: what comes back is as it
// was, each once, and of the last ones nearly all come back.
func TestShelf(t *testing.T) {
	s, failed := newTestShelf(t, t.TempDir())
	const blocks = 4
	s.size = blocks * shelfBuffer
	rng := rand.New(rand.NewPCG(1, 2))
	var legs []*entry
	back := 0
	for n := range 5_000 {
		e := shelfLeg(rng, n)
		legs = append(legs, e)
		s.put(e)
		if rng.IntN(4) > 0 {
			continue
		}
		place := max(0, n-rng.IntN(600)) // some 1,500 B each: a few hundred fit
		was := legs[place]
		if was == nil {
			continue
		}
		got := s.take(was.legID)
		legs[place] = nil
		switch {
		case got == nil && n-place < 400:
			t.Errorf("leg %d is not there when %d is", place, n)
		case got != nil && !got.same(was):
			t.Fatalf("leg %d came back as %+v, was %+v", place, got, was)
		case got != nil:
			back++
		}
		if s.take(was.legID) != nil {
			t.Fatalf("leg %d came back twice", place)
		}
	}
	if back < 500 {
		t.Errorf("%d legs came back", back)
	}
	last := shelfLeg(rng, 9_000)
	s.put(last)
	last.written++
	s.put(last)
	if got := s.take(last.legID); got == nil || !got.same(last) || s.take(last.legID) != nil {
		t.Errorf("what was put there twice came back as %+v", got)
	}
	s.put(last)
	if s.drop(last.legID); s.take(last.legID) != nil {
		t.Error("what was dropped is there")
	}
	s.put(last)
	if s.clear(); s.take(last.legID) != nil {
		t.Error("what was there before it was cleared is there")
	}
	if *failed != nil {
		t.Error(*failed)
	}
}

// TestShelfOnABadDisk: what a disk lost or garbled is not there, and after a write that
// failed nothing is.
func TestShelfOnABadDisk(t *testing.T) {
	dir := t.TempDir()
	s, failed := newTestShelf(t, dir)
	if files, err := os.ReadDir(dir); err != nil || len(files) > 0 {
		t.Errorf("files in the folder: %v, %v", files, err)
	}
	rng := rand.New(rand.NewPCG(3, 4))
	fill := func() (err error) {
		*failed = nil
		for n := range 400 {
			s.put(shelfLeg(rng, n))
		}
		return *failed
	}
	if err := fill(); err != nil {
		t.Fatal(err)
	}
	if s.take(legID{"tenant1", "leg-1"}) == nil {
		t.Error("a leg is not there")
	}
	if _, err := s.file.WriteAt(make([]byte, shelfBuffer), 0); err != nil {
		t.Fatal(err)
	}
	if e := s.take(legID{"tenant2", "leg-2"}); e != nil {
		t.Errorf("a garbled leg came back: %+v", e)
	}
	if err := s.file.Close(); err != nil {
		t.Fatal(err)
	}
	if e := s.take(legID{"tenant0", "leg-3"}); e != nil {
		t.Errorf("a lost leg came back: %+v", e)
	}
	if err := fill(); err == nil {
		t.Error("writes to a closed file go well")
	}
	if err := fill(); err != nil || s.take(legID{"tenant1", "leg-1"}) != nil {
		t.Errorf("after an error there is a shelf: %v", err)
	}
	if _, err := newShelf(dir+"/none", nil, nil); err == nil {
		t.Error("a shelf in a folder that is not there")
	}
}

// TestForgottenLegsComeBack: legs that the cache has no room for are as they were when
// somebody asks for them, without the database.
func TestForgottenLegsComeBack(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	c := newCache(50 << 10)
	var failed *error
	c.shelf, failed = newTestShelf(t, t.TempDir())
	const legs = 2_000
	id := func(n int) legID { return legID{"", fmt.Sprint("leg-", n)} }
	for n := range legs {
		e := c.digest(id(n), now.Unix(), digest.OfCall|digest.Opens, fmt.Append(nil, "of ", n), now)
		e.row = rowKey{"call", int64(n)}
		c.settled(e, now)
	}
	if len(c.legs) > legs/4 {
		t.Fatalf("%d legs are in memory", len(c.legs))
	}
	for n := range legs {
		e := c.get(id(n))
		if e == nil || string(e.digests.Data) != fmt.Sprint("of ", n) || e.row.start != int64(n) || !e.whole || e.dirty() {
			t.Fatalf("leg %d came back as %+v", n, e)
		}
	}
	all := prometheus.NewRegistry()
	all.MustRegister(c.shelf.fetched)
	counted, err := all.Gather()
	if err != nil {
		t.Fatal(err)
	}
	if n := counted[0].GetMetric()[0].GetCounter().GetValue(); n < legs/2 || *failed != nil {
		t.Errorf("%v legs were fetched, error %v", n, *failed)
	}
	// While somebody worked with a leg it was let go: what he notes is not on the shelf.
	e := c.get(id(0))
	for n := range legs / 2 {
		c.get(id(1 + n))
	}
	if e.used != nil {
		t.Fatal("the leg is in memory")
	}
	if c.gone(e); c.get(id(0)) != nil {
		t.Error("the leg came back as it is not any more")
	}
	// Or somebody asked for it meanwhile.
	e = c.get(id(1))
	for n := range legs / 2 {
		c.get(id(2 + n))
	}
	again := c.get(id(1))
	if again == nil || again == e || again.row.start != 1 {
		t.Fatalf("the leg came back as %+v", again)
	}
	if c.gone(e); again.row.start != 0 || again.fresh {
		t.Error("what is known of its row is not true any more")
	}
	if c.reset(); c.get(id(3)) != nil {
		t.Error("a leg is there after everything was to be forgotten")
	}
}
