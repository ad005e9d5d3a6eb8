package filter

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Error says where an expression is wrong and what would have been right.
type Error struct {
	// Input is the whole expression.
	Input string
	// Pos is the offset in bytes of what is wrong; len(Input) when it ends too early.
	Pos int
	// Got is what stands there, Expected what should.
	Got, Expected string
}

// Error is one line: the column, what stands there and what was expected.
func (e *Error) Error() string {
	return fmt.Sprintf("filter, column %d: got %s, expected %s", e.Column(), e.Got, e.Expected)
}

// Column is the position in characters, counted from 1.
func (e *Error) Column() int {
	return utf8.RuneCountInString(e.Input[:e.Pos]) + 1
}

// caretWidth is how much of a long line Caret shows on either side.
const caretWidth = 60

// Caret renders the error for a terminal: the message, the line of the
// expression it is about, and a caret below the position. A long line is cut
// around the position.
func (e *Error) Caret() string {
	start := strings.LastIndexByte(e.Input[:e.Pos], '\n') + 1
	before := []rune(e.Input[start:e.Pos])
	after := []rune(e.Input[e.Pos:])
	for i, r := range after {
		if r == '\n' {
			after = after[:i]
			break
		}
	}
	if n := len(before) - caretWidth; n > 0 {
		before = append([]rune{'…'}, before[n:]...)
	}
	if len(after) > caretWidth {
		after = append(after[:caretWidth:caretWidth], '…')
	}
	// A tab or a control character would shift the caret.
	line := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, string(before)+string(after))
	return fmt.Sprintf("%s\n  %s\n  %s^", e.Error(), line, strings.Repeat(" ", len(before)))
}

// excerptLength bounds what an error quotes of the expression.
const excerptLength = 40

// excerpt quotes a piece of the expression for an error.
func excerpt(s string) string {
	if r := []rune(s); len(r) > excerptLength {
		s = string(r[:excerptLength]) + "…"
	}
	return fmt.Sprintf("%q", s)
}
