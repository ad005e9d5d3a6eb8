// Package assemble makes calls of legs. Materialized views put each message that
// is inserted into the table legs; an Assembler reads the legs that were touched,
// has package calls make calls and registrations of them, and writes these to
// call_rows and registration_rows, from which the views of the same names read.
//
// It may be stopped at any time, and several may run: what it writes follows
// from the legs alone, a row that is written again replaces the one before, and
// a row whose call is now part of another one is marked as gone. One of several
// works at a time, as the table assembler says.
package assemble
