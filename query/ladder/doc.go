// Package ladder draws a call flow: as text for a terminal (Text) and as a
// self-contained SVG picture (SVG). Both show the same: a summary of the call
// that says how it ended and why, a column per participant, and a row per
// message, media report or log event.
//
// The package is pure. It reads a query.Flow, writes bytes, and gives the same
// bytes for the same flow and options. Everything that came off the wire is
// made safe before it is written: control and direction-changing characters
// never reach the terminal, and markup is escaped in the picture.
package ladder
