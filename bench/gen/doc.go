// Package gen makes HEP version 3 traffic as a busy SIP platform sends it, for
// load tests: calls that are answered, busy, rejected, cancelled or never
// picked up, registrations with their challenge, OPTIONS pings and RTCP
// reports. Each SIP message is seen on two hops by the capture agent of the
// proxy between them; a share of the calls goes on through a B2BUA and has a
// second leg, tied to the first by X-CID.
//
// The traffic is a function of the configuration alone: the same seed gives the
// same packets in the same order, but for the times, which the caller gives. It
// counts what it makes, so that a test can tell to the packet what must be
// stored.
//
// A packet costs a copy of a template and some forty small patches: less than
// the system call that sends it.
package gen
