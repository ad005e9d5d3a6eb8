// Package filter is heplake's filter language: conditions on SIP messages and
// on calls, written as `field op value`, joined by and, or, not and parentheses,
// and compiled to SQL whose values are query parameters.
package filter

import "fmt"

// Error says where an expression is wrong and what would have been right.
type Error struct {
	// Input is the whole expression.
	Input string
	// Pos is the offset in bytes of what is wrong.
	Pos int
	// Got is what stands there, Expected what should.
	Got, Expected string
}

// Error is one line: the column (in characters, from 1), what stands there and
// what was expected.
func (e *Error) Error() string {
	return fmt.Sprintf("filter, column %d: got %s, expected %s", e.Column(), e.Got, e.Expected)
}

// Column is the position in characters, counted from 1.
func (e *Error) Column() int { return len([]rune(e.Input[:e.Pos])) + 1 }
