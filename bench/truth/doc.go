// Package truth makes traffic of which everything is known: SIP calls of every
// outcome over one to three hops and one or two legs, registrations and quality
// reports, as several capture agents with differing clocks would report them,
// with messages lost, repeated, duplicated and out of order. Beside the packets
// it gives what really happened: a record for each call and each registration,
// and the KPIs by minute, all from what the generator did, none of it by the code
// that is to be checked.
//
// The same Config gives the same bytes.
package truth
