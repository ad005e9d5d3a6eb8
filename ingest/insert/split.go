package insert

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/ipc"
	"github.com/apache/arrow/go/v15/arrow/memory"
	"github.com/google/uuid"

	"github.com/heplake/heplake/ingest/batch"
)

// Split cuts a batch of two rows or more into halves. Each half's id follows
// from the batch's id and the half's rows: splitting the same batch again gives
// the same ids, so what was inserted before a crash is not inserted twice.
//
// The batch does not say how many packets each row accounts for. The halves
// share its packets in proportion to their rows, rounded so that they add up to
// the batch's: where every row is a packet this is exact.
func Split(b batch.Sealed) (first, second batch.Sealed, err error) {
	fail := func(err error) (batch.Sealed, batch.Sealed, error) {
		return batch.Sealed{}, batch.Sealed{}, fmt.Errorf("split batch %s of %s: %w", b.ID, b.Table, err)
	}
	r, err := ipc.NewReader(bytes.NewReader(b.Body))
	if err != nil {
		return fail(err)
	}
	defer r.Release()
	if !r.Next() {
		return fail(errors.Join(errors.New("no record batch in it"), r.Err()))
	}
	record := r.Record()
	rows := record.NumRows()
	if rows < 2 || rows != int64(b.Rows) {
		return fail(fmt.Errorf("%d rows in it, %d by its header", rows, b.Rows))
	}
	half := rows / 2
	packets := int(int64(b.Packets) * half / rows)
	if first, err = part(b, record, 0, half, packets); err != nil {
		return fail(err)
	}
	if second, err = part(b, record, half, rows, b.Packets-packets); err != nil {
		return fail(err)
	}
	return first, second, nil
}

// part makes a batch of the rows [from, to).
func part(b batch.Sealed, record arrow.Record, from, to int64, packets int) (batch.Sealed, error) {
	columns := make([]arrow.Array, record.NumCols())
	for i, c := range record.Columns() {
		slice := array.NewSlice(c, from, to)
		defer slice.Release()
		// A copy without an offset: the writer miscounts in slices of maps.
		compact, err := array.Concatenate([]arrow.Array{slice}, memory.DefaultAllocator)
		if err != nil {
			return batch.Sealed{}, fmt.Errorf("column %s: %w", record.ColumnName(i), err)
		}
		defer compact.Release()
		columns[i] = compact
	}
	slice := array.NewRecord(record.Schema(), columns, to-from)
	defer slice.Release()
	var body bytes.Buffer
	w := ipc.NewWriter(&body, ipc.WithSchema(record.Schema()))
	if err := w.Write(slice); err != nil {
		return batch.Sealed{}, err
	}
	if err := w.Close(); err != nil {
		return batch.Sealed{}, err
	}
	return batch.Sealed{
		ID:    uuid.NewSHA1(uuid.NameSpaceOID, fmt.Appendf(nil, "%s rows %d to %d", b.ID, from, to)).String(),
		Table: b.Table, Rows: int(to - from), Packets: packets, Oldest: b.Oldest, Body: body.Bytes(),
	}, nil
}
