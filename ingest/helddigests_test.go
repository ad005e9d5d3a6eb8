package ingest

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/heplake/heplake/internal/digest"
)

// TestToldIDs: a row of ids is made once, and again when something of it differs, or
// in another hour.
func TestToldIDs(t *testing.T) {
	var told toldIDs
	id := digest.ID{Slot: 3600, Key: []byte("k"), CallID: []byte("c"), CorrelationID: []byte("x")}
	has := func(id digest.ID) bool { return told.has(digest.IDHash(id.Key), id) }
	if has(id) || !has(id) {
		t.Error("the same is told twice, or never")
	}
	same := id
	same.Slot += 600
	if !has(same) {
		t.Error("another ten minutes of the hour are told of")
	}
	for _, change := range []func(*digest.ID){
		func(d *digest.ID) { d.Slot += 3600 },
		func(d *digest.ID) { d.Key = []byte("l") },
		func(d *digest.ID) { d.CallID = []byte("d") },
		func(d *digest.ID) { d.CorrelationID = []byte("y") },
		func(d *digest.ID) { d.CallID, d.CorrelationID = d.CorrelationID, d.CallID },
	} {
		other := id
		change(&other)
		if has(other) {
			t.Errorf("%+v is not told of", other)
		}
	}
	fresh := 0
	for i := range 1000 {
		if !has(digest.ID{Key: fmt.Append(nil, i), CallID: []byte("c")}) {
			fresh++
		}
	}
	if fresh != 1000 {
		t.Errorf("%d of 1000 new ones are told of", fresh)
	}
}

// TestToldUsers: a row of users is made once, and again when it says something new.
func TestToldUsers(t *testing.T) {
	var told toldUsers
	u := digest.User{Name: []byte("ann"), CorrelationID: []byte("x"), Fields: 1}
	has := func(u digest.User, hour uint32) bool { return told.has(digest.IDHash(u.Name), hour, u) }
	if has(u, 3600) || !has(u, 3600) {
		t.Error("the same is told twice, or never")
	}
	more := u
	if more.Fields = 3; has(more, 3600) || !has(more, 3600) {
		t.Error("a further field is told twice, or never")
	}
	if more.Fields = 2; !has(more, 3600) || !has(u, 3600) {
		t.Error("fewer fields are told again")
	}
	other := u
	other.CorrelationID = []byte("y")
	if has(other, 3600) || has(u, 7200) || has(digest.User{Name: []byte("ben"), CorrelationID: []byte("x"), Fields: 1}, 3600) {
		t.Error("another correlation id, hour or user is not told")
	}
}

// TestJoin: what several workers have of a leg is one row, if it was handed over in the
// same run, and says what one worker would have said.
func TestJoin(t *testing.T) {
	const workers, legs = 4, 60
	runs := [workers]uint64{7, 7, 8, 7}
	rng := rand.New(rand.NewPCG(5, 1))
	var whole digest.Builder
	var store digestStore
	for i := range workers {
		store.taken = append(store.taken, takenDigests{builder: new(digest.Builder), run: runs[i], received: time.Now()})
	}
	start := time.Date(2026, 11, 21, 10, 9, 50, 0, time.UTC).UnixMicro()
	had := map[string]map[uint64]bool{} // runs by leg and slot
	for i := range 4000 {
		us := start + int64(i)*5000 // into the next slot
		m := digest.Message{
			Time: us, CallID: fmt.Appendf(nil, "leg-%d", rng.IntN(legs)), CSeq: uint32(1 + rng.IntN(3)), CSeqMethod: []byte("INVITE"),
			FromTag: []byte("a"), FromUser: []byte("1001"), ToUser: []byte("1002"), ViaBranch: fmt.Appendf(nil, "z9hG4bK%d", rng.IntN(9)),
			Src: [16]byte{15: byte(rng.IntN(3))}, Dst: [16]byte{15: 9}, SrcPort: 5060, DstPort: 5060,
		}
		switch rng.IntN(4) {
		case 0:
			m.Method = []byte("INVITE")
		case 1:
			m.CSeqMethod, m.Method = []byte("OPTIONS"), []byte("OPTIONS") // of no leg, but of a user
		default:
			m.Status, m.Reason, m.ToTag = 200, []byte("OK"), []byte("b")
		}
		n := rng.IntN(workers)
		store.taken[n].builder.Message(&m)
		whole.Message(&m)
		if string(m.CSeqMethod) == "INVITE" {
			k := fmt.Sprintf("%s %d", m.CallID, us/1e6/digest.SlotSeconds)
			if had[k] == nil {
				had[k] = map[uint64]bool{}
			}
			had[k][runs[n]] = true
		}
	}
	type said struct {
		kinds digest.Kinds
		data  []byte
	}
	got, rows := map[string]said{}, map[string]map[uint64]bool{}
	for i := range store.taken {
		taken := &store.taken[i]
		for leg := range taken.builder.Len() {
			if taken.joined != nil && taken.joined[leg] {
				continue
			}
			row := store.join(i, leg)
			if row.Kinds == 0 {
				continue
			}
			k := fmt.Sprintf("%s %d", row.CallID, row.Slot/digest.SlotSeconds)
			if rows[k] == nil {
				rows[k] = map[uint64]bool{}
			}
			if rows[k][taken.run] {
				t.Errorf("two rows of %s in a run", k)
			}
			rows[k][taken.run] = true
			s := got[string(row.CallID)]
			got[string(row.CallID)] = said{s.kinds | row.Kinds, append(s.data, row.Digest...)}
		}
	}
	if !reflect.DeepEqual(rows, had) {
		t.Errorf("rows of %v\nwant %v", rows, had)
	}
	want := map[string]said{}
	for i := range whole.Len() {
		if row := whole.Row(i); row.Kinds != 0 {
			s := want[string(row.CallID)]
			want[string(row.CallID)] = said{s.kinds | row.Kinds, append(s.data, row.Digest...)}
		}
	}
	if len(got) != legs || len(want) != legs {
		t.Fatalf("%d and %d legs of %d", len(got), len(want), legs)
	}
	var d digest.Decoder
	for id, w := range want {
		g := got[id]
		a, errA := d.Decode("default", id, g.data)
		b, errB := d.Decode("default", id, w.data)
		if errA != nil || errB != nil {
			t.Fatal(errA, errB)
		}
		if g.kinds != w.kinds || a.Messages != b.Messages || !a.First.Equal(b.First) || !a.Last.Equal(b.Last) || len(a.Events) != len(b.Events) || !reflect.DeepEqual(a.Opening, b.Opening) {
			t.Errorf("%s: kinds %b, %d messages, %+v\nwant %b, %d, %+v", id, g.kinds, a.Messages, a.Opening, w.kinds, b.Messages, b.Opening)
		}
	}
}
