package digest

import "hash/maphash"

// User is a user that messages name: in From, To or the Request-URI.
type User struct {
	// Slot as in Row.
	Slot uint32
	// Name is the user part, CorrelationID what the messages have: slices as in Row.
	Name, CorrelationID []byte
	// Fields say where, as bits: UserFrom, UserTo and UserRURI, UserOther times these
	// of messages that belong to no call.
	Fields uint8
}

// Bits of User.Fields, which are those of column fields of table users.
const (
	UserFrom = 1 << iota
	UserTo
	UserRURI
	userCall
	// UserOther is what fields are multiplied by of messages of other methods than a
	// call's (schema.OtherMethodsSQL).
	UserOther
)

// namedKept is how many different sets of users are remembered of a leg: a call's
// messages mostly name the same two, and its BYE those the other way round. More are
// noted more than once.
const namedKept = 4

// users notes who the message names, unless one before it did.
func (b *Builder) users(place int32, m *Message) {
	if len(m.CorrelationID) == 0 || len(m.FromUser)+len(m.ToUser)+len(m.RURIUser) == 0 {
		return
	}
	kind := byte(1)
	if !ofCall(m.CSeqMethod) || len(m.Method) > 0 && !ofCall(m.Method) {
		kind = UserOther
	}
	const odd = 0x9e3779b97f4a7c15
	// Seeded, so that nobody can send a message whose users are taken for another's.
	h := maphash.Bytes(seed, m.FromUser)
	h = h*odd ^ maphash.Bytes(seed, m.ToUser)
	h = h*odd ^ maphash.Bytes(seed, m.RURIUser)
	h = h*odd ^ maphash.Bytes(seed, m.CorrelationID)
	h = h*odd ^ uint64(kind)
	l := &b.legs[place]
	for _, n := range l.named {
		if n == h {
			return
		}
	}
	copy(l.named[1:], l.named[:])
	l.named[0] = h
	b.untold = append(le.AppendUint32(b.untold, uint32(place)), kind)
	for _, s := range [...][]byte{m.CorrelationID, m.FromUser, m.ToUser, m.RURIUser} {
		b.untold = appendString(b.untold, s)
	}
}

// ofCall reports whether messages of the method belong to calls: those of
// schema.CallMethods do that can open one, or come in one alone.
func ofCall(method []byte) bool {
	switch string(method) {
	case "INVITE", "ACK", "BYE", "CANCEL", "PRACK", "UPDATE", "REFER", "INFO":
		return true
	}
	return false
}
