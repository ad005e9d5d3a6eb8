package digest

import "slices"

// untoldID is what an id is in Builder.untold: the other values are the kinds of users.
const untoldID = 0

// key notes an id that names the leg of the place.
func (b *Builder) key(place int32, correlation, id []byte) {
	b.untold = append(le.AppendUint32(b.untold, uint32(place)), untoldID)
	b.untold = appendString(appendString(b.untold, correlation), id)
}

// Tell gives what is new since Tell: the ids that name legs, each with each correlation id
// that its messages had, and each once of a row; and who messages name, who may be given
// more than once. Reports have neither.
func (b *Builder) Tell(ids func(ID), users func(User)) {
	for rest := b.untold; len(rest) > 0; {
		l, kind := &b.legs[le.Uint32(rest)], rest[4]
		var correlation []byte
		correlation, rest = cutString(rest[5:])
		if kind == untoldID {
			var key []byte
			key, rest = cutString(rest)
			ids(ID{Slot: l.slot, Key: key, CallID: l.callID, CorrelationID: correlation})
			continue
		}
		var names [3][]byte
		for i := range names {
			names[i], rest = cutString(rest)
		}
		for n, name := range names {
			same := func(other []byte) bool { return string(other) == string(name) }
			if len(name) == 0 || slices.ContainsFunc(names[:n], same) {
				continue
			}
			u := User{Slot: l.slot, Name: name, CorrelationID: correlation}
			for k, other := range names {
				if same(other) {
					u.Fields |= kind << k
				}
			}
			users(u)
		}
	}
	b.letUntold()
	for _, i := range b.fresh {
		b.legs[i].fresh = false
	}
	b.fresh = b.fresh[:0]
}

// letUntold forgets what is untold.
func (b *Builder) letUntold() {
	if b.untold = b.untold[:0]; cap(b.untold) > maxKeptUntold {
		b.untold = nil
	}
}
