// Package load runs load scenarios against heplake, or against any other HEP
// server, and measures what they cost: CPU per message of each process, loss,
// latency and memory. bench/README.md says how to read the results.
package load
