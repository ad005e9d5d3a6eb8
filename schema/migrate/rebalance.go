package migrate

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/heplake/heplake/schema"
)

// Move brings rows of one partition of a table to the shards where rows of their
// keys are written to.
type Move struct {
	// Insert copies them, through any node; Delete takes the copies left behind
	// away, on every node.
	Insert, Delete Statement
}

// PlanMoves lists what is to be moved after shards were added to a cluster.
//
// Rows of messages stay where they are: readers ask all shards. A row that is
// computed anew takes the place of the one before only on the same shard, so that
// after the shards have changed calls and rollups would be there twice. The plan
// is empty when every such row is where its key says. To apply it twice, or half
// and again, does no harm; ingest may go on.
func PlanMoves(ctx context.Context, db DB, o schema.Options) ([]Move, error) {
	var slots []string
	total, shards := uint64(0), 0
	err := each(ctx, db, "SELECT shard_num, toUInt64(any(shard_weight)) FROM system.clusters WHERE cluster = "+schema.Quote(o.Cluster.Name)+" GROUP BY shard_num ORDER BY shard_num",
		func(scan scanFunc) error {
			var shard uint32
			var weight uint64
			if err := scan(&shard, &weight); err != nil {
				return err
			}
			total += weight
			shards++
			slots = append(slots, fmt.Sprintf("slot < %d, %d", total, shard))
			return nil
		})
	if err != nil {
		return nil, err
	}
	if !o.Clustered() || total == 0 {
		return nil, fmt.Errorf("migrate: ClickHouse knows no cluster %s with shards to move rows between", o.Cluster.Name)
	}
	var moves []Move
	for _, t := range slices.Concat(schema.Tables(), schema.Derived()) {
		fed := slices.ContainsFunc(schema.Feeds(), func(f *schema.Feed) bool { return f.To == t.Name })
		if fed || !strings.HasPrefix(t.EngineSQL(), "Replacing") {
			continue // what feeds give lies beside what they are fed by, and readers know
		}
		// As Distributed has it: the key modulo the sum of weights, shard after shard.
		place := "multiIf(" + strings.ReplaceAll(strings.Join(slots, ", "), "slot", fmt.Sprintf("(%s) %% %d", t.ShardKey(), total)) + ", 0)"
		found, err := misplaced(ctx, db, o, t, place)
		if err != nil {
			return nil, err
		}
		moves = append(moves, found...)
	}
	return moves, nil
}

// misplaced plans the moves of one table, the newest partition first.
func misplaced(ctx context.Context, db DB, o schema.Options, t *schema.Table, place string) ([]Move, error) {
	columns := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		columns[i] = "`" + c.Name + "`"
	}
	list := strings.Join(columns, ", ")
	all := qualified(o.DatabaseName(), t.Name)
	var moves []Move
	err := each(ctx, db, "SELECT _partition_id, count() FROM "+all+" WHERE "+place+" != _shard_num GROUP BY _partition_id ORDER BY _partition_id DESC",
		func(scan scanFunc) error {
			var partition string
			var rows uint64
			if err := scan(&partition, &rows); err != nil {
				return err
			}
			id := schema.Quote(partition)
			moves = append(moves, Move{
				Insert: Statement{
					Reason: fmt.Sprintf("table %s, partition %s: copy %d rows to their shards", t.Name, partition, rows),
					SQL: "INSERT INTO " + all + " (" + list + ")\nSELECT " + list + "\nFROM " + all + " FINAL\nWHERE _partition_id = " + id + " AND " + place + " != _shard_num\nSETTINGS " +
						schema.DistributedSettings + ", insert_deduplicate = 0, max_partitions_per_insert_block = 0",
				},
				Delete: Statement{
					Reason: fmt.Sprintf("table %s, partition %s: take them away from the others", t.Name, partition),
					SQL: "ALTER TABLE " + o.Target(o.LocalName(t.Name)) + " DELETE IN PARTITION ID " + id +
						" WHERE " + place + " != (SELECT min(shard_num) FROM system.clusters WHERE cluster = " + schema.Quote(o.Cluster.Name) + " AND is_local = 1)\nSETTINGS mutations_sync = 2",
				},
			})
			return nil
		})
	return moves, err
}

// ApplyMoves moves partition after partition: for the moment between the two
// statements of a move its rows are there twice. dbs are as for ApplyAll.
func ApplyMoves(ctx context.Context, dbs []DB, moves []Move) error {
	for _, m := range moves {
		if err := dbs[0].Exec(ctx, m.Insert.SQL); err != nil {
			return fmt.Errorf("migrate: %s: %w", m.Insert.Reason, err)
		}
		for _, db := range dbs {
			if err := db.Exec(ctx, m.Delete.SQL); err != nil {
				return fmt.Errorf("migrate: %s: %w", m.Delete.Reason, err)
			}
		}
	}
	return nil
}
