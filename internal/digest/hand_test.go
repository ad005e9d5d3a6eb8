package digest

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
)

// TestHand: pieces say together what the rows say, wherever they are cut, and each
// id and user is told once.
func TestHand(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 1))
		var held, whole Builder
		pieces := map[string][]byte{}
		var kinds, handed Kinds
		ids, want := map[string]int{}, map[string]int{}
		tell := func(m map[string]int) func(ID) {
			return func(id ID) { m[string(id.Key)+" "+string(id.CallID)+" "+string(id.CorrelationID)]++ }
		}
		users, wantUsers := map[string]int{}, map[string]int{}
		name := func(m map[string]int) func(User) {
			return func(u User) { m[fmt.Sprintf("%s %s %d", u.Name, u.CorrelationID, u.Fields)]++ }
		}
		hand := func() {
			for _, p := range held.Hand(tell(ids), name(users)) {
				if len(p.Digest) == 0 || p.Kinds == 0 {
					t.Errorf("an empty piece of %s", p.CallID)
				}
				pieces[p.CallID] = append(pieces[p.CallID], p.Digest...)
				handed |= p.Kinds
			}
			if held.Fresh() != 0 {
				t.Errorf("%d legs are fresh after Hand", held.Fresh())
			}
		}
		for _, m := range call() {
			held.Message(&m)
			whole.Message(&m)
			if rng.IntN(2) == 0 {
				hand()
			}
		}
		for _, r := range reports() {
			held.Report([]byte("c1@a"), &r)
			whole.Report([]byte("c1@a"), &r)
			if rng.IntN(2) == 0 {
				hand()
			}
		}
		hand()
		digests, all := rows(&whole)
		kinds |= all
		whole.Tell(tell(want), name(wantUsers))
		if got, want := decode(t, pieces["c1@a"]), decode(t, digests["c1@a"]); !reflect.DeepEqual(got, want) || handed != kinds {
			t.Errorf("seed %d: the pieces say %+v, kinds %b\nthe rows %+v, kinds %b", seed, got, handed, want, kinds)
		}
		if !reflect.DeepEqual(ids, want) || len(want) == 0 {
			t.Errorf("seed %d: ids %v, want %v", seed, ids, want)
		}
		if !reflect.DeepEqual(users, wantUsers) || len(wantUsers) == 0 {
			t.Errorf("seed %d: users %v, want %v", seed, users, wantUsers)
		}
		// What is handed over is still in the rows, which tell no id again.
		kept, _ := rows(&held)
		if got, want := decode(t, kept["c1@a"]), decode(t, digests["c1@a"]); !reflect.DeepEqual(got, want) {
			t.Errorf("seed %d: the rows say %+v after Hand, want %+v", seed, got, want)
		}
		held.Tell(func(id ID) { t.Errorf("%s is told again", id.Key) }, func(u User) { t.Errorf("%s is told again", u.Name) })
		held.Reset()
		if held.Len() != 0 || len(held.Hand(func(ID) { t.Error("an id of nothing") }, func(User) { t.Error("a user of nothing") })) != 0 {
			t.Error("something is left after Reset")
		}
	}
}

// TestRelease: the oldest rows go and no others, however legs come, go and come
// again, and what is left goes on as before.
func TestRelease(t *testing.T) {
	nothing := func(ID) {}
	nobody := func(User) {}
	for seed := range uint64(10) {
		rng := rand.New(rand.NewPCG(seed, 2))
		var b Builder
		var order []string         // the legs in it, the oldest first
		events := map[string]int{} // of each
		for range 300 {
			for range rng.IntN(60) {
				id := fmt.Sprint("leg", rng.IntN(400))
				if events[id]++; events[id] == 1 {
					order = append(order, id)
				}
				m := call()[rng.IntN(5)] // all of one slot
				m.CallID, m.FromUser = []byte(id), fmt.Append(nil, "u", rng.IntN(3))
				b.Message(&m)
			}
			b.Hand(nothing, nobody)
			if rng.IntN(3) == 0 {
				n := rng.IntN(len(order) + 2)
				b.Release(n)
				for range min(n, len(order)) {
					delete(events, order[0])
					order = order[1:]
				}
			}
			if b.Len() != len(order) {
				t.Fatalf("seed %d: %d rows, want %d", seed, b.Len(), len(order))
			}
			size := 0
			for i, id := range order {
				r := b.Row(i)
				if string(r.CallID) != id {
					t.Fatalf("seed %d: row %d is of %s, want %s", seed, i, r.CallID, id)
				}
				if i%16 == 0 {
					if l := decode(t, r.Digest); len(l.Events) == 0 || countEvents(r.Digest) != events[id] {
						t.Fatalf("seed %d: %s has %d events, want %d", seed, id, countEvents(r.Digest), events[id])
					}
				}
				size += len(r.Digest) - baseSize
			}
			if b.Size() != size {
				t.Fatalf("seed %d: %d bytes, want %d", seed, b.Size(), size)
			}
		}
		b.Release(b.Len())
		if b.Len() != 0 || b.Size() != 0 || !b.Opened.IsZero() {
			t.Errorf("seed %d: something is left", seed)
		}
	}
}

// countEvents counts the events in a digest, whole and brief, also those that are the same.
func countEvents(b []byte) int { return countRecords(b, recordEvent) + countRecords(b, recordBrief) }

// countRecords counts the records of a kind in a digest, likewise.
func countRecords(b []byte, kind byte) (n int) {
	for len(b) > 0 {
		this, size := b[0], fixedSize(b[0])
		if this == kind {
			n++
		}
		b = b[1+size:]
		if hasString(this) {
			_, b = cutString(b)
		}
	}
	return n
}
