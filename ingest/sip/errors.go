package sip

// Errors is the set of faults found in one message. The zero value means that
// none was noticed; it does not mean that the message is valid, as the scanner
// looks only at what it reads.
type Errors uint32

// The faults a scan can notice. Their names as text (see [Errors.Append]) are
// stable: they are stored and searched.
const (
	// Truncated: the buffer ended before the blank line that ends the headers.
	// A header that was cut is not read at all.
	Truncated Errors = 1 << iota
	// BadStartLine: separators other than single spaces, trailing white space,
	// or no SIP version at all.
	BadStartLine
	// BadVersion: a SIP version other than 2.0.
	BadVersion
	// BadRequestURI: the Request-URI is in brackets, holds white space or
	// headers, or its host or port cannot be read (RFC 3261 section 19.1).
	BadRequestURI
	// BadStatus: the status code is no number from 100 to 699. One beyond 65535
	// is reported as 0.
	BadStatus
	// BadHeader: a header line without a colon or without a token as its name.
	BadHeader
	// DuplicateHeader: a header that may occur once only occurs again (Call-ID,
	// CSeq, From, To, Max-Forwards, Content-Length). The first one counts.
	DuplicateHeader
	// MissingCallID: no Call-ID, or an empty one.
	MissingCallID
	// MissingCSeq: no CSeq.
	MissingCSeq
	// MissingFrom: no From.
	MissingFrom
	// MissingTo: no To.
	MissingTo
	// MissingVia: no Via.
	MissingVia
	// BadCSeq: the number is absent or not below 2^31, or the method is absent
	// (RFC 3261 section 8.1.1.5). A number beyond 32 bits is reported as 0.
	BadCSeq
	// CSeqMethodMismatch: a request whose CSeq names another method.
	CSeqMethodMismatch
	// BadFrom: unbalanced quotes or brackets, an address without a scheme, or
	// malformed parameters in From.
	BadFrom
	// BadTo: as BadFrom, in To.
	BadTo
	// BadContact: as BadFrom, in the first element of Contact, which is the only
	// one that is read.
	BadContact
	// BadVia: a topmost or bottom-most Via that does not follow RFC 3261 section 20.42.
	BadVia
	// BadMaxForwards: not a number from 0 to 255.
	BadMaxForwards
	// BadExpires: Expires or the expires parameter of Contact is no number below
	// 2^32. A greater number is reported as 2^32-1.
	BadExpires
	// BadContentLength: not a number, or negative. The body is then all that
	// follows the headers.
	BadContentLength
	// ShortBody: fewer bytes than Content-Length promises.
	ShortBody
	// TrailingBytes: more bytes than Content-Length promises. Line ends, blanks
	// and NULs, with which some senders pad, do not count.
	TrailingBytes
	// BadMultipart: a multipart body whose parts cannot be told apart. This and
	// the following two are not set with ShortBody, which explains them.
	BadMultipart
	// BadSDP: a session description whose connection or first media line cannot
	// be read.
	BadSDP
	// BadISUP: an ISUP body that ends inside its cause indicators.
	BadISUP

	errorsEnd
)

// errorWords are the texts of the bits, lowest bit first.
var errorWords = [...]string{
	"truncated",
	"bad_start_line",
	"bad_version",
	"bad_request_uri",
	"bad_status",
	"bad_header",
	"duplicate_header",
	"missing_call_id",
	"missing_cseq",
	"missing_from",
	"missing_to",
	"missing_via",
	"bad_cseq",
	"cseq_method_mismatch",
	"bad_from",
	"bad_to",
	"bad_contact",
	"bad_via",
	"bad_max_forwards",
	"bad_expires",
	"bad_content_length",
	"short_body",
	"trailing_bytes",
	"bad_multipart",
	"bad_sdp",
	"bad_isup",
}

// Append appends the names of the faults to dst, in a fixed order, joined by
// commas ("truncated,missing_via"), and returns the extended slice. An empty
// set appends nothing.
func (e Errors) Append(dst []byte) []byte {
	first := true
	for i, word := range errorWords {
		if e&(1<<i) == 0 {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		dst = append(dst, word...)
		first = false
	}
	return dst
}

// String is the text of [Errors.Append]; "" for the empty set.
func (e Errors) String() string { return string(e.Append(nil)) }

// Has reports whether all faults of f are in the set.
func (e Errors) Has(f Errors) bool { return e&f == f }
