// Package batch gathers rows into columns and seals them as Arrow streams.
//
// An open batch belongs to one table and one day (a ClickHouse partition), so
// that a sealed one is inserted as one block, whole or not at all. Columns are
// plain slices that become Arrow buffers without a copy. Nothing here is safe
// for concurrent use.
package batch

import (
	"fmt"
	"reflect"
	"time"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/ipc"
	"github.com/google/uuid"

	"github.com/heplake/heplake/schema"
)

// Batch is an open batch of one table and one day. R is the struct of its
// columns: SIP, Media or Events.
type Batch[R any] struct {
	// Cols are the columns to append to. A row is complete when each column got
	// one value; Commit says so.
	Cols R

	table   *schema.Table
	arrow   *arrow.Schema
	columns []column // in the table's order
	rows    int
	packets int
	opened  time.Time
}

// New makes an empty batch for the table.
//
// It panics when R's fields are not exactly the table's stored columns: that is a
// mistake in this program, found by its tests.
func New[R any](table *schema.Table) *Batch[R] {
	b := &Batch[R]{table: table, arrow: table.ArrowSchema()}
	fields := map[string]column{}
	collect(reflect.ValueOf(&b.Cols).Elem(), fields)
	for _, c := range table.Sent() {
		col, ok := fields[c.Name]
		if !ok || !col.accepts(c.Kind) {
			panic(fmt.Sprintf("batch: no column %s of the right type in %T for table %s", c.Name, b.Cols, table.Name))
		}
		b.columns = append(b.columns, col)
		delete(fields, c.Name)
	}
	for name := range fields {
		panic(fmt.Sprintf("batch: table %s has no column %s", table.Name, name))
	}
	return b
}

// collect finds the columns of a struct by their tags, embedded structs included.
func collect(v reflect.Value, into map[string]column) {
	for i := range v.NumField() {
		field := v.Type().Field(i)
		if field.Anonymous {
			collect(v.Field(i), into)
			continue
		}
		into[field.Tag.Get("col")] = v.Field(i).Addr().Interface().(column)
	}
}

// Commit ends a row. packets is how many received packets the row accounts
// for: 1, or 0 for the further rows of a packet that yields several. received
// is when the packet came.
func (b *Batch[R]) Commit(packets int, received time.Time) {
	if b.rows == 0 {
		b.opened = received
	}
	b.rows++
	b.packets += packets
}

// Rows is the number of rows.
func (b *Batch[R]) Rows() int { return b.rows }

// Packets is the number of received packets the rows account for.
func (b *Batch[R]) Packets() int { return b.packets }

// Opened is when the first row's packet was received.
func (b *Batch[R]) Opened() time.Time { return b.opened }

// Size is the memory that the rows take, in bytes.
func (b *Batch[R]) Size() int {
	n := 0
	for _, c := range b.columns {
		n += c.size()
	}
	return n
}

// Held is the memory that the batch keeps, in use or for the next rows, in bytes.
func (b *Batch[R]) Held() int {
	n := 0
	for _, c := range b.columns {
		n += c.held()
	}
	return n
}

// Take appends the rows of another batch of the same table, which keeps them
// too until it is reset.
func (b *Batch[R]) Take(from *Batch[R]) {
	if from.rows == 0 {
		return
	}
	for i, c := range b.columns {
		c.take(from.columns[i])
	}
	if b.rows == 0 || from.opened.Before(b.opened) {
		b.opened = from.opened
	}
	b.rows += from.rows
	b.packets += from.packets
}

// Reset empties the batch and keeps its memory.
func (b *Batch[R]) Reset() {
	for _, c := range b.columns {
		c.reset()
	}
	b.rows, b.packets = 0, 0
}

// Seal makes an Arrow stream of the batch under a new id. The stream is in
// pieces, most of which are the batch's own memory: whoever needs them after
// Reset loads them first.
func (b *Batch[R]) Seal() (Sealed, error) {
	for i, c := range b.columns {
		if c.len() != b.rows {
			return Sealed{}, fmt.Errorf("batch: column %s of %s has %d values for %d rows", b.arrow.Field(i).Name, b.table.Name, c.len(), b.rows)
		}
	}
	id, err := uuid.NewV7()
	if err != nil {
		return Sealed{}, fmt.Errorf("batch: make an id: %w", err)
	}
	arrays := make([]arrow.Array, len(b.columns))
	for i, c := range b.columns {
		arrays[i] = array.MakeFromData(c.data(b.arrow.Field(i).Type))
	}
	record := array.NewRecord(b.arrow, arrays, int64(b.rows))
	defer record.Release()

	var body pieces
	w := ipc.NewWriter(&body, ipc.WithSchema(b.arrow))
	if err := w.Write(record); err != nil {
		return Sealed{}, fmt.Errorf("batch: write %s as Arrow: %w", b.table.Name, err)
	}
	if err := w.Close(); err != nil {
		return Sealed{}, fmt.Errorf("batch: end the Arrow stream of %s: %w", b.table.Name, err)
	}
	return Sealed{
		ID: id.String(), Table: b.table.Name,
		Rows: b.rows, Packets: b.packets, Oldest: b.opened,
		Pieces: body.list,
	}, nil
}
