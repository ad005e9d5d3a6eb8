package digest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/heplake/heplake/schema"
)

// TestUsers: each user of a leg is given once with the fields that name it, and again
// when other fields or another correlation id do.
func TestUsers(t *testing.T) {
	message := func(callID, correlation, method, cseqMethod, from, to, ruri string) Message {
		return Message{
			Time: start.UnixMicro(), CallID: []byte(callID), CorrelationID: []byte(correlation), Method: []byte(method), CSeqMethod: []byte(cseqMethod),
			FromUser: []byte(from), ToUser: []byte(to), RURIUser: []byte(ruri),
		}
	}
	for _, c := range []struct {
		name     string
		messages []Message
		want     []string
	}{
		{"a call", []Message{
			message("c", "c", "INVITE", "INVITE", "a", "b", "b"), message("c", "c", "", "INVITE", "a", "b", ""), message("c", "c", "ACK", "ACK", "a", "b", "b"),
			message("c", "c", "BYE", "BYE", "b", "a", "a"), message("c", "c", "INVITE", "INVITE", "a", "b", "b"),
		}, []string{"a c 1", "a c 1", "a c 6", "b c 1", "b c 2", "b c 6"}},
		{"of its own", []Message{message("c", "c", "REGISTER", "REGISTER", "a", "a", "")}, []string{"a c 48"}},
		{"all three", []Message{message("c", "c", "OPTIONS", "OPTIONS", "a", "a", "a")}, []string{"a c 112"}},
		{"a request that its CSeq names otherwise", []Message{message("c", "c", "INVITE", "OPTIONS", "a", "", ""), message("c", "c", "OPTIONS", "INVITE", "b", "", "")}, []string{"a c 16", "b c 16"}},
		{"both kinds", []Message{message("c", "c", "INVITE", "INVITE", "a", "", ""), message("c", "c", "NOTIFY", "NOTIFY", "a", "", "")}, []string{"a c 1", "a c 16"}},
		{"two correlation ids", []Message{message("c", "x", "BYE", "BYE", "a", "", ""), message("c", "y", "BYE", "BYE", "a", "", "")}, []string{"a x 1", "a y 1"}},
		{"no Call-ID", []Message{message("", "x", "BYE", "BYE", "", "a", "")}, []string{"a x 2"}},
		{"no correlation id", []Message{message("c", "", "BYE", "BYE", "", "a", "")}, nil},
		{"nobody", []Message{message("c", "c", "INVITE", "INVITE", "", "", "")}, nil},
	} {
		var b Builder
		for range 2 {
			for i := range c.messages {
				b.Message(&c.messages[i])
			}
			var got []string
			b.Tell(func(ID) {}, func(u User) {
				got = append(got, fmt.Sprintf("%s %s %d", u.Name, u.CorrelationID, u.Fields))
				if int64(u.Slot) != start.Unix()/SlotSeconds*SlotSeconds {
					t.Errorf("%s: slot %d", c.name, u.Slot)
				}
			})
			slices.Sort(got)
			if !slices.Equal(got, c.want) {
				t.Errorf("%s: users %q, want %q", c.name, got, c.want)
			}
			b.Tell(func(id ID) { t.Errorf("%s: %s is told again", c.name, id.Key) }, func(u User) { t.Errorf("%s: %s is told again", c.name, u.Name) })
			b.Reset()
		}
	}
	if UserOther != 1<<schema.OtherUserFields {
		t.Errorf("other methods are bit %d, in table users %d", UserOther, 1<<schema.OtherUserFields)
	}
}

// TestManyUsersOfALeg: a leg that names ever other users has them all, and no memory
// of them afterwards.
func TestManyUsersOfALeg(t *testing.T) {
	var b Builder
	const n = 200_000
	for i := range n {
		name := fmt.Appendf(nil, "user-%d", i)
		b.Message(&Message{Time: start.UnixMicro(), CallID: []byte("c"), CorrelationID: []byte("c"), CSeqMethod: []byte("OPTIONS"), Method: []byte("OPTIONS"), FromUser: name, ToUser: name, RURIUser: name})
	}
	if b.Untold() < 10*n {
		t.Errorf("%d users in %d bytes", n, b.Untold())
	}
	before, seen := b.Held(), 0
	b.Tell(func(ID) {}, func(u User) {
		if want := fmt.Sprintf("user-%d", seen); string(u.Name) != want || u.Fields != 7*UserOther {
			t.Errorf("%s in %d, want %s", u.Name, u.Fields, want)
		}
		seen++
	})
	if seen != n || b.Untold() != 0 {
		t.Errorf("%d users told of, and %d bytes left", seen, b.Untold())
	}
	if b.Held() > before/2 {
		t.Errorf("%d bytes are held of %d", b.Held(), before)
	}
}
