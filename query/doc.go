// Package query answers the questions that every door of heplake asks: which
// calls there were (Calls), what went over the wire in one of them (Flow), how
// it sounded (Quality), and how many of what there were over time (Series).
//
// It takes and returns domain values. The doors (HTTP, the terminal, Grafana)
// encode them; nothing here knows about any of the three.
//
// Every query is bounded: by a time limit, a memory limit and a row limit on
// the server, and by the caller's context, whose end cancels the query there.
// What a limit cut off is said in the result (Truncated), never silent.
//
// Values of callers reach ClickHouse as query parameters, apart from the SQL
// text, which this package and package filter make of fixed words alone.
package query
