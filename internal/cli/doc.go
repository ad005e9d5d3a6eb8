// Package cli is what the reading commands do behind their flags: it asks the
// HTTP API, and renders the answer for the terminal, for scripts or for a
// spreadsheet. A command parses its flags, calls Search, Flow or Quality, and
// exits with ExitCode of the error.
//
// Formats of a search: "table" for people; "json", the API's own document
// ({"calls":[…],"truncated":…}), so that a script written for one works with
// the other; "csv", RFC 4180 with a header line and every column.
//
// A search that is watched (Live) and a call that is followed (Follow) ask the
// API again and again for what is new; as JSON they write a value on each line.
package cli
