// Package callcard puts what a list shows of a call into one short string, the
// column card of call_rows, and reads it back.
//
// The calls of a list often lie far apart in the table: to read one row of each of
// forty columns takes ClickHouse far longer than to read one column. The card has
// what the other columns have as well, but for those by which rows are found (see
// Card); it says nothing that they do not.
package callcard
