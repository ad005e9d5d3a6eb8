// Package digest keeps in short what messages and quality reports say of the legs
// of calls and registrations: what table leg_digests holds and the assembler
// makes calls of.
//
// A digest is a string of records, one after the other, that stands by itself.
// Digests of one leg are put together by writing them one behind the other, in
// any order and as often as they come: Decode takes each message once.
//
// Builder makes digests of messages as they are received, or as they are read
// back from the tables.
package digest
