// Package tui is heplake's terminal application: search, the list of calls, the
// ladder of one, its messages, and the difference of two messages, all by
// keyboard. docs/terminal.md has the keys.
//
// It is a model of the Bubble Tea library: one goroutine owns the state, keys
// and answers reach it as messages, and every question to the API runs beside
// it with a context of its own. The screen therefore never waits, a newer
// question cancels the older, and an answer that nobody waits for any more is
// dropped. What came off the wire is made safe before it is shown.
package tui
