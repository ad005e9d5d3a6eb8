// Package plugin is the backend of heplake's Grafana data source: it turns
// Grafana's requests into questions for package query, and the answers into
// data frames.
//
// A request for data holds one or more queries, each of a type:
//
//	calls    a table, one row for each call, newest first
//	flow     one call's ladder, a row for each message
//	quality  one call's media reports
//	series   a figure over time, ready for alerts
//	logs     log records, newest first
//	sql      the user's own SELECT, with macros
//
// Everything that makes a query work is done here, defaults and macros
// included, because alert rules never run the plugin's frontend.
//
// Who may see what is decided by Grafana and by the ClickHouse user that the
// data source is given; headers are used for the audit comment in ClickHouse's
// query log alone, never to decide anything.
package plugin

// ID is the plugin's id, as in its plugin.json.
const ID = "heplake-datasource"
