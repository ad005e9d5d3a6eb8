// Package embedded runs a complete ClickHouse inside heplake's own process
// tree, so that one binary and one library are all a small installation needs.
//
// The engine is ClickHouse 26.7 as packaged in libchdb. It never runs in the
// process that asks for it: [Start] executes the current binary again as a
// child, the child loads the library through purego (no cgo) and serves the
// native and the HTTP protocol. A fault in the engine therefore ends the child
// alone, its memory is limited and measured apart, and it is restarted on the
// same ports.
//
// Every program that calls [Start], test binaries included, must call
// [MaybeChild] before anything else:
//
//	func main() {
//		embedded.MaybeChild()
//		…
//	}
//
// # Life of the child
//
// The child holds two descriptors of its parent: the lock on the data
// directory, so that the directory stays locked until both are gone, and the
// read end of a pipe. When the pipe ends, because [Server.Stop] closed it or
// because the parent died, the child shuts the engine down cleanly and exits.
//
// The engine is clickhouse-local, at its prompt on a pseudo-terminal of the
// child: without a terminal the first bad packet would end it (see childMain).
//
// # Files below Config.Dir
//
//	lock              taken by one heplake at a time
//	credentials.json  passwords of the three users, mode 0600
//	config.xml        generated on every start
//	users.xml         generated on every start
//	data/             what ClickHouse stores
//	logs/             ClickHouse's logs, rotated by size, and the child's stderr
//
// # Users
//
// [Owner] may do everything and is meant for migrations and metrics, [Writer]
// inserts, [Reader] searches under limits. Databases are reached by name: the
// grants of writer and reader cover [Database] and every database whose name
// begins with it. Config.Access adds others.
//
// # What libchdb leaves out
//
// ReplicatedMergeTree, ON CLUSTER and CREATE USER do not work in it. The
// database named "default" is a special one: create an Atomic database. The
// engine has no filter for outgoing connections: what keeps writer and reader
// from url(), s3(), file() and remote() is that they have no grant for them.
package embedded
