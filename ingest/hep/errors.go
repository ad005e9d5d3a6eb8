package hep

import "strconv"

// Reasons for which a message does not decode. They are stable and few, for
// use as a metric label.
const (
	ReasonEmpty        = "empty"         // no bytes at all
	ReasonBadMagic     = "bad_magic"     // no variant of HEP begins like this
	ReasonShort        = "short"         // ends within a fixed header
	ReasonBadLength    = "bad_length"    // version 3 total length below 6
	ReasonTruncated    = "truncated"     // version 3, shorter than its total length says and cut in a chunk
	ReasonChunkLength  = "chunk_length"  // a chunk length below 6
	ReasonChunkOverrun = "chunk_overrun" // a chunk longer than what is left of the message
	ReasonNoPayload    = "no_payload"    // whole, but without a payload
	ReasonBadFamily    = "bad_family"    // version 1 or 2 with an unknown address family
	ReasonInflate      = "inflate"       // the compressed payload is broken
	ReasonInflateLimit = "inflate_limit" // the payload is larger than Decoder.MaxPayload
	ReasonBadProtobuf  = "bad_protobuf"  // broken protobuf, or a field out of range
)

// Reasons returns every reason, for metrics that want all labels from the
// start.
func Reasons() []string {
	return []string{
		ReasonEmpty, ReasonBadMagic, ReasonShort, ReasonBadLength, ReasonTruncated,
		ReasonChunkLength, ReasonChunkOverrun, ReasonNoPayload, ReasonBadFamily,
		ReasonInflate, ReasonInflateLimit, ReasonBadProtobuf,
	}
}

// Error tells why and where a message does not decode.
//
// An *Error from [Decoder.Decode] belongs to the decoder and is overwritten by
// its next error: copy the value to keep it.
type Error struct {
	// Reason is one of the Reason constants.
	Reason string
	// Offset is the byte of the message at which decoding stopped.
	Offset int
	// Variant is the encoding the message began like, or 0.
	Variant Variant
}

// Error returns the variant, the reason and the offset in words.
func (e *Error) Error() string {
	return "hep: " + e.Variant.String() + " message does not decode: " + e.Reason +
		" at byte " + strconv.Itoa(e.Offset)
}

// Is tells whether target is an *Error with the same reason, so that errors.Is
// works with a bare &Error{Reason: …}.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Reason == e.Reason
}
