// Package latency measures how long heplake's API takes over months of traffic:
// it makes a database of some 30 days of messages, or takes one that is there,
// asks a fixed list of questions one after the other, and puts what ClickHouse
// itself counted of each (CPU, rows read) beside the times.
//
// The traffic is some hundred thousand messages of package gen that went through
// the real pipeline, copied within ClickHouse with other times and other ids.
package latency
