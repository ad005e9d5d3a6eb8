package migrate

import (
	"errors"
	"fmt"
)

// ErrNewerSchema says that a newer heplake has migrated the database. The error
// that Plan returns is a *NewerSchemaError, which wraps it.
var ErrNewerSchema = errors.New("the database has a newer schema")

// NewerSchemaError is the refusal of an older binary to work on tables that a
// newer one has migrated.
type NewerSchemaError struct {
	Database string
	// Recorded is the schema's version in the database, Known this binary's.
	Recorded, Known uint32
	// Binary is the version of heplake that migrated the database.
	Binary string
}

func (e *NewerSchemaError) Error() string {
	return fmt.Sprintf("migrate: database %s has schema version %d, written by heplake %s; this binary knows version %d: use heplake %s or newer",
		e.Database, e.Recorded, e.Binary, e.Known, e.Binary)
}

// Unwrap makes errors.Is(err, ErrNewerSchema) true.
func (e *NewerSchemaError) Unwrap() error { return ErrNewerSchema }

// ConflictError is a difference that cannot be changed in place without risking
// rows or values.
type ConflictError struct {
	// Node is the node's address in a cluster, else empty.
	Node            string
	Database, Table string
	// What differs: "type of column status", "sorting key", "engine".
	What string
	// Actual and Desired are both sides, as ClickHouse prints them.
	Actual, Desired string
}

func (e *ConflictError) Error() string {
	return fmt.Sprintf("migrate: %s of table %s.%s%s is %s, this binary needs %s, and that cannot be changed in place",
		e.What, e.Database, e.Table, on(e.Node), e.Actual, e.Desired)
}

// LayoutError is the refusal to make a single node's database a cluster's, or
// the other way round: rows would be out of sight.
type LayoutError struct {
	// Node is the node's address in a cluster, else empty.
	Node            string
	Database, Table string
	// Engine is the engine of the table.
	Engine string
	// Cluster is that of the settings, or that of the table when the settings name
	// none.
	Cluster string
}

func (e *LayoutError) Error() string {
	if e.Engine == distributedEngine {
		return fmt.Sprintf("migrate: database %s is spread over the cluster %s: set clickhouse.cluster", e.Database, e.Cluster)
	}
	return fmt.Sprintf("migrate: clickhouse.cluster is set to %s, but database %s%s is of a single node (table %s is %s), and its rows would be out of sight: name another database in clickhouse.url, and copy the rows into it as docs/deploy.md says",
		e.Cluster, e.Database, on(e.Node), e.Table, e.Engine)
}

// on says where, after a space.
func on(node string) string {
	if node == "" {
		return ""
	}
	return " on " + node
}
