package ingest

import (
	"bytes"
	"testing"
	"time"

	"github.com/heplake/heplake/ingest/batch"
	"github.com/heplake/heplake/schema"
)

// TestMayJoin: batches of workers become one where a copy of their rows is cheaper than
// another insert; where rows are small, of more of them.
func TestMayJoin(t *testing.T) {
	users := func(rows, length int) *batch.Batch[batch.Users] {
		b := batch.New[batch.Users](&schema.Users)
		for i := range rows {
			b.Cols.User.Append(uint64(i))
			b.Cols.Tenant.AppendString("default")
			b.Cols.Hour.Append(3600)
			b.Cols.CorrelationID.Append(bytes.Repeat([]byte("x"), length))
			b.Cols.Fields.Append(1)
			b.Commit(0, time.Now())
		}
		return b
	}
	for _, way := range []struct {
		name                    string
		rows, length, batchRows int
		join                    bool
	}{
		{"few and small", 10_000, 30, 100_000, true},
		{"few and large", 12_000, 1000, 100_000, true},
		{"many and small", 20_000, 30, 100_000, true},
		{"many and large", 20_000, 200, 100_000, false},
		{"more than a batch has", 20_000, 30, 39_999, false},
	} {
		if got := mayJoin(users(way.rows, way.length), users(way.rows, way.length), way.batchRows); got != way.join {
			t.Errorf("%s: %t", way.name, got)
		}
	}
}
