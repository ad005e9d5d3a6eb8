// Package api is heplake's HTTP door: it turns requests into the questions of
// package query and the answers into JSON. It keeps no state and asks nothing
// but the Store, so any number of it can run in front of one ClickHouse.
//
// There are two families of routes. Those below /api/v1 speak query's own
// values. Those below /api/v3 take what Homer's clients send and answer in
// Homer's shapes, with our figures beside Homer's names. The OpenAPI document
// at /api/openapi.json describes all of them; a test holds it to the routes.
//
// Every error is a problem document (RFC 9457) with the request's id, which is
// also in the X-Request-ID header and in the log.
package api
