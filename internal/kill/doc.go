// Package kill has the tests that kill: heplake and its engine, at random times
// under load, and then compare what was sent with what is stored. They run the
// binary as it is built. HEPLAKE_SOAK=200 (make soak) kills that often, in ways
// chosen at random, instead of once in each way. What was sent is compared with
// what is stored after each kill, and that what was stored before is as it was.
//
// What must hold: no record is stored twice, ever. An engine that is killed or
// hangs costs nothing. A heplake that is killed costs at most what it had received
// and not yet written to the spool, by a metric of its own that goes back by
// batch.age, and nothing that it answered for by hep.durable. One that is asked to
// stop costs nothing of a sender that heeds the end of its connection, and nothing
// of the others that is not counted. The table at the end sums up every way of
// killing.
//
// The tests of clocks set the clock of heplake and its engine, and of nobody else:
// testdata/clock.c takes the place of the functions by which programs ask for the
// time. They need a C compiler and Linux on x86-64.
package kill
