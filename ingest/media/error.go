package media

import "fmt"

// Reasons a payload cannot be decoded, or not to its end. They are stable
// words: they go into the events table and into metric labels.
const (
	ReasonEmpty     = "empty"      // no bytes, or nothing but blanks
	ReasonTruncated = "truncated"  // the payload ends within a value
	ReasonSyntax    = "syntax"     // a byte that the format does not allow there
	ReasonDepth     = "depth"      // JSON nested deeper than maxDepth
	ReasonNotObject = "not-object" // JSON, but no object at the top
	ReasonTrailing  = "trailing"   // bytes behind the end of the JSON value
	ReasonVersion   = "version"    // RTCP version is not 2
	ReasonType      = "type"       // RTCP packet type out of its range
	ReasonLength    = "length"     // an RTCP length or count contradicts the bytes
	ReasonNoReport  = "no-report"  // well-formed, but names no figure that we know
)

// Error says why and where a payload could not be decoded.
type Error struct {
	// Reason is one of the Reason constants.
	Reason string
	// Offset is the byte of the input at which decoding stopped, counted from 0.
	Offset int
}

// Error implements the error interface.
func (e *Error) Error() string {
	return fmt.Sprintf("media: %s at byte %d", e.Reason, e.Offset)
}

// Reasons lists every value of Error.Reason.
func Reasons() []string {
	return []string{
		ReasonEmpty, ReasonTruncated, ReasonSyntax, ReasonDepth, ReasonNotObject,
		ReasonTrailing, ReasonVersion, ReasonType, ReasonLength, ReasonNoReport,
	}
}
