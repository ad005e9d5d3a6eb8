// Package sip scans SIP messages (RFC 3261) where they lie: one forgiving pass
// over a buffer that finds what search, correlation and call statistics need,
// and says what is wrong with the message instead of refusing it.
//
// A [Scanner] fills a [Message] whose byte slices point into the scanned
// buffer. Nothing is copied or allocated, so a Message is valid only as long as
// that buffer is unchanged; whoever keeps a field longer copies it. The one
// exception are codec names that the SDP does not spell out (static payload
// types of RFC 3551): those slices point to constants of this package and must
// not be written to.
//
// Values are given as they are on the wire. Percent-escapes in users, backslash
// escapes in quoted strings and line folds inside a value are left alone;
// surrounding white space, quotes and angle brackets are not part of a value.
//
// Real senders cut, fold, shorten and break messages in every way. The scanner
// takes what is there: compact header names, any case, bare line feeds, folded
// lines, repeated headers (the first one counts), comma-separated lists (the
// topmost element counts), missing brackets and quotes, bodies shorter or
// longer than Content-Length. Each deviation that was noticed is a bit of
// [Message.Errs], so that broken messages can be searched by their fault.
//
// The package does no I/O and imports nothing but the standard library.
package sip
