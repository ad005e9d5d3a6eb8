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
		for i := range whole.Len() {
			whole.IDs(i, tell(want))
			whole.Users(i, name(wantUsers))
		}
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
		for i := range held.Len() {
			held.IDs(i, func(id ID) { t.Errorf("%s is told again", id.Key) })
			held.Users(i, func(u User) { t.Errorf("%s is told again", u.Name) })
		}
		held.Reset()
		if held.Len() != 0 || len(held.Hand(func(ID) { t.Error("an id of nothing") }, func(User) { t.Error("a user of nothing") })) != 0 {
			t.Error("something is left after Reset")
		}
	}
}
