// Package kill has the tests that kill: heplake and its engine, at random times
// under load, and then compare what was sent with what is stored. They run the
// binary as it is built. HEPLAKE_SOAK=200 (make soak) kills that often, in ways
// chosen at random, instead of once in each way. What was sent is compared with
// what is stored after each kill, and that what was stored before is as it was.
//
// What must hold: no record is stored twice, ever. An engine that is killed or
// hangs costs nothing. A heplake that is killed costs at most what it received
// within batch.age before, and what the disk took beyond that is measured, and
// nothing that it answered for by hep.durable. One that is asked to stop costs
// nothing of a sender that heeds the end of its connection, and nothing of the
// others that is not counted. The table at the end sums up every way of killing.
package kill
