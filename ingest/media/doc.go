// Package media turns what senders say about the media of a call into
// [Report] values: RTCP in binary (RFC 3550, RFC 3611) and in the JSON of HEP
// type 5, voice quality reports (RFC 6035), the reports of RTP agents and of
// horaclifix, X-RTP-Stat headers, and raw RTP aggregated per stream.
//
// The package is pure: bytes in, values out, no I/O, no clock. A [Decoder]
// owns the memory its reports live in. Byte slices in a report alias the input
// or the decoder; they hold until the decoder's next call and as long as the
// input is left alone. One Decoder serves one goroutine.
//
// A decoder returns what it understood before a fault together with the fault,
// an [*Error]: a report cut short is still a report.
package media
