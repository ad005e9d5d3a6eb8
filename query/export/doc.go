// Package export writes calls for other programs and other people: as packets
// (PCAP, PCAPNG) for Wireshark and sngrep, as text, as JSON, as a scenario pair
// for SIPp, as a self-contained HTML page. An Anonymiser gives the same call with
// consistent pseudonyms instead of numbers, names and addresses, and every
// format takes it.
//
// The package is pure: it reads query.Flow values and writes bytes. The same
// flow and options give the same bytes. Everything that came off the wire is
// escaped as the format wants it.
package export
