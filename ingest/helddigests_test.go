package ingest

import (
	"fmt"
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

// TestMarks: legs are held from when they were handed over first, and go with the
// oldest.
func TestMarks(t *testing.T) {
	start := time.Now()
	at := func(s int) time.Time { return start.Add(time.Duration(s) * time.Second) }
	h := heldDigests{run: 7}
	h.mark(at(0), 10)
	h.mark(at(1), 10) // nothing new
	h.mark(at(2), 15)
	h.mark(at(3), 35)
	for s, want := range []int{10, 10, 15, 35, 35} {
		if got := h.until(at(s)); got != want {
			t.Errorf("%d legs until second %d, want %d", got, s, want)
		}
	}
	if h.until(at(-1)) != 0 || !h.handed.Equal(at(3)) {
		t.Error("legs before the first, or another time of the last handing")
	}
	h.let(12)
	if h.until(at(0)) != 0 || h.until(at(2)) != 3 || h.until(at(3)) != 23 || h.run != 7 {
		t.Errorf("after 12 went: %+v", h)
	}
	h.mark(at(4), 24)
	if h.until(at(4)) != 24 {
		t.Errorf("after one came: %+v", h)
	}
	h.let(24)
	if len(h.marks) != 0 || h.run != 0 {
		t.Errorf("after all went: %+v", h)
	}
}
