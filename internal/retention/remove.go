package retention

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"github.com/heplake/heplake/schema"
)

// remover deletes what was judged to go.
type remover struct {
	db driver.Conn
	// nodes are what statements about a node's own tables go to: see nodesOf.
	nodes    []driver.Conn
	o        schema.Options
	archiver Archiver
}

// remove archives days of one table, where there is an archive, deletes what is to
// go of them, and writes it down. Days that lose some of their rows lose them by one
// mutation: ClickHouse goes through every part of a table for each. The actions have
// then what was really deleted and left; done is called for each that was. A day
// that fails does not keep the others.
func (r *remover) remove(ctx context.Context, actions []*Action, cause string, done func(*Action)) error {
	var failed []error
	var some []*deletion
	for _, a := range actions {
		d := &deletion{Action: a}
		err := r.prepare(ctx, d)
		if err == nil && a.Kind == Delete {
			some = append(some, d)
			continue
		}
		if err == nil && a.Kind == Drop {
			err = r.alter(ctx, a.Table, dropPartition(partition(a.Day)))
		}
		if err == nil {
			err = r.account(ctx, d, cause)
		}
		if err != nil {
			failed = append(failed, err)
			continue
		}
		done(a)
	}
	for _, batch := range slices.Collect(slices.Chunk(some, mutationDays)) {
		if err := r.mutate(ctx, batch); err != nil {
			failed = append(failed, err)
			continue
		}
		for _, d := range batch {
			if err := r.account(ctx, d, cause); err != nil {
				failed = append(failed, err)
				continue
			}
			done(d.Action)
		}
	}
	return errors.Join(failed...)
}

// deletion is an action under way: what the day had before.
type deletion struct {
	*Action
	rows, bytes uint64
}

// prepare does what must be done before rows go.
func (r *remover) prepare(ctx context.Context, d *deletion) (err error) {
	if err := r.archive(ctx, d.Action); err != nil {
		return err
	}
	if d.Kind == Delete && replaces(tableNamed(d.Table)) {
		// Without the newest version of a row an older one would come to light.
		if err := r.optimise(ctx, d.Action); err != nil {
			return err
		}
	}
	d.rows, d.bytes, err = r.stored(ctx, d.Action)
	return err
}

// account writes down what was done.
func (r *remover) account(ctx context.Context, d *deletion, cause string) error {
	rows, bytes, err := r.stored(ctx, d.Action)
	if err != nil {
		return err
	}
	d.Left = rows
	if d.Kind != Nothing {
		d.Rows, d.Bytes = d.rows-min(rows, d.rows), d.bytes-min(bytes, d.bytes)
	}
	return writeLog(ctx, r.db, r.o, d.Action, cause)
}

// stored is what a day has.
func (r *remover) stored(ctx context.Context, a *Action) (rows, bytes uint64, err error) {
	err = r.db.QueryRow(ctx, "SELECT sum(rows), sum(bytes_on_disk) FROM "+system(r.o, "parts")+" WHERE active AND database = "+schema.Quote(r.o.DatabaseName())+
		" AND table = "+schema.Quote(r.o.LocalName(a.Table))+" AND partition = "+schema.Quote(partition(a.Day))).Scan(&rows, &bytes)
	if err != nil {
		err = fmt.Errorf("retention: ask what %s has of %s: %w", a.Table, partition(a.Day), err)
	}
	return rows, bytes, err
}

// alter alters a table on every node. To repeat it, when some nodes did it and
// others did not, does no harm.
func (r *remover) alter(ctx context.Context, table, sql string) error {
	for _, node := range r.nodes {
		if err := node.Exec(ctx, alterSQL(r.o, table, sql)); err != nil {
			return fmt.Errorf("retention: delete from %s: %w", table, err)
		}
	}
	return nil
}

// alterSQL is the statement that alters a table on a node, or on all.
func alterSQL(o schema.Options, table, sql string) string {
	return "ALTER TABLE " + o.Target(o.LocalName(table)) + " " + sql
}

func dropPartition(name string) string { return "DROP PARTITION " + schema.Quote(name) }

func (r *remover) optimise(ctx context.Context, a *Action) error {
	for _, node := range r.nodes {
		err := node.Exec(ctx, "OPTIMIZE TABLE "+r.o.Target(r.o.LocalName(a.Table))+" PARTITION "+schema.Quote(partition(a.Day))+" FINAL SETTINGS optimize_throw_if_noop = 0, alter_sync = 1")
		if err != nil {
			return fmt.Errorf("retention: merge %s of %s: %w", partition(a.Day), a.Table, err)
		}
	}
	return nil
}

// How often a mutation is looked at, how often it may be found failing before it is
// given up, and of how many days it is at most.
const (
	mutationPoll     = 200 * time.Millisecond
	mutationFailures = 25
	mutationDays     = 16
)

// ownMark is in the command of the keeper's mutations.
const ownMark = "heplake keeper"

// mutate deletes rows of days of one table and waits until that is done. A mutation
// that an earlier process began is waited for first.
func (r *remover) mutate(ctx context.Context, batch []*deletion) error {
	table := batch[0].Table
	if err := r.wait(ctx, table); err != nil {
		return err
	}
	id := uuid.NewString()
	commands, staged := make([]string, len(batch)), false
	for i, d := range batch {
		where, err := r.stage(ctx, d.Action, id)
		if err != nil {
			return err
		}
		staged = staged || len(d.asking) > 0
		commands[i] = "DELETE IN PARTITION " + schema.Quote(partition(d.Day)) + " WHERE (" + where + ") AND " + schema.Quote(ownMark) + " != ''"
	}
	if err := r.alter(ctx, table, strings.Join(commands, ", ")+" SETTINGS mutations_sync = 0, allow_nondeterministic_mutations = 1"); err != nil {
		return err
	}
	if err := r.wait(ctx, table); err != nil {
		return err
	}
	if !staged {
		return nil
	}
	return r.alter(ctx, schema.KeeperCalls.Name, dropPartition(id))
}

// stage writes down once which calls a day's condition asks for, and returns the
// condition that asks for what is written down: ClickHouse asks again for each part.
// A process that ends half way leaves that for the mutation, which goes on; it goes
// by TTL. On a cluster every node has them for itself: a mutation asks no other.
func (r *remover) stage(ctx context.Context, a *Action, id string) (where string, err error) {
	table, day := qualified(r.o, r.o.LocalName(schema.KeeperCalls.Name)), schema.Quote(partition(a.Day))
	for _, class := range a.asking {
		sql := "INSERT INTO " + table + " (time, batch, day, class, tenant, id) SELECT now(), " + schema.Quote(id) + ", " + day + ", " + strconv.Itoa(class) + ", tenant, id FROM (" + a.callIDs(class) + ")"
		for _, node := range r.nodes {
			if err := node.Exec(ctx, sql); err != nil {
				return "", fmt.Errorf("retention: write down the calls of %s: %w", partition(a.Day), err)
			}
		}
	}
	return a.where(func(class int) string {
		return "SELECT tenant, id FROM " + table + " WHERE batch = " + schema.Quote(id) + " AND day = " + day + " AND class = " + strconv.Itoa(class)
	}), nil
}

// wait waits until no mutation of a keeper is under way in the table.
func (r *remover) wait(ctx context.Context, table string) error {
	own := "database = " + schema.Quote(r.o.DatabaseName()) + " AND table = " + schema.Quote(r.o.LocalName(table)) + " AND NOT is_done AND position(command, " + schema.Quote(ownMark) + ") > 0"
	from, settings := everywhere(r.o, "mutations")
	for failures := 0; ; {
		var n uint64
		var reason string
		if err := r.db.QueryRow(ctx, "SELECT count(), max(latest_fail_reason) FROM "+from+" WHERE "+own+settings).Scan(&n, &reason); err != nil {
			return fmt.Errorf("retention: ask how the deletion goes: %w", err)
		}
		if n == 0 {
			return nil
		}
		if reason != "" {
			failures++
		}
		if failures == mutationFailures {
			err := fmt.Errorf("retention: delete from %s: %s", table, reason)
			for _, node := range r.nodes {
				err = errors.Join(err, node.Exec(ctx, "KILL MUTATION"+r.o.OnCluster()+" WHERE "+own+" SYNC"))
			}
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(mutationPoll):
		}
	}
}

// archive asks the archiver, one at a time for a day of a table.
func (r *remover) archive(ctx context.Context, a *Action) error {
	if r.archiver == nil || a.Kind == Nothing {
		return nil
	}
	key := dayOf{a.Table, a.Day}
	for {
		other, busy := archiving.LoadOrStore(key, make(chan struct{}))
		if !busy {
			defer func() {
				archiving.Delete(key)
				close(other.(chan struct{}))
			}()
			break
		}
		select {
		case <-other.(chan struct{}):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if err := r.archiver.Archive(ctx, a.Table, partition(a.Day)); err != nil {
		return fmt.Errorf("retention: %s of %s is not archived and so stays: %w", partition(a.Day), a.Table, err)
	}
	return nil
}

// archiving has the days that are being archived, each with a channel that is
// closed afterwards. The keeper and the guard may come to the same.
var archiving sync.Map
