package ingest

import (
	"fmt"
	"testing"

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
