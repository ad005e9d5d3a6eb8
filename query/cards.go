package query

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/heplake/heplake/internal/callcard"
	"github.com/heplake/heplake/schema"
)

// Calls of a list lie in a granule of call_rows each, and a granule of forty columns
// is forty blocks to read: what the list shows of a call is in one column, too.

// columnsOfCards are the columns of a row r of call_rows that has a card, columnsOfRows
// those of any row. Both name the outcome, of which withOutcome says what it is.
var (
	columnsOfCards = "tenant, correlation_id, call_ids, start, card, toUnixTimestamp64Micro(now64(6)) AS read_at"
	columnsOfRows  = columnsOfCalls
)

// callRows is what stands behind FROM for either.
func (s *Store) callRows() string { return s.table("call_rows") + " AS r FINAL" }

// scanRow scans the columns before those of the call, and the call.
type scanRow func(before ...any) (Call, error)

// rowsAs reads rows of calls. sql is the query with these columns after those that
// read scans itself. Where a row has no card, because an earlier version wrote it, all
// are read again by their columns.
func rowsAs[T any](ctx context.Context, s *Store, c *cost, sql func(columns string) string, args []any, read func(scanRow) (T, error)) ([]T, error) {
	var out []T
	collect := func(columns string, scan func(rows driver.Rows, before []any) (Call, error)) error {
		out = nil
		return s.query(ctx, c, sql(columns), args, func(rows driver.Rows) error {
			v, err := read(func(before ...any) (Call, error) { return scan(rows, before) })
			out = append(out, v)
			return err
		})
	}
	err := callcard.ErrNone
	if !s.noCards {
		err = collect(columnsOfCards, scanCard)
	}
	if errors.Is(err, callcard.ErrNone) {
		err = collect(columnsOfRows, func(rows driver.Rows, before []any) (Call, error) { return scanCall(prefixed{rows, before}) })
	}
	return out, err
}

// prefixed is a row with columns before those that are scanned for.
type prefixed struct {
	driver.Rows
	dest []any
}

// Scan scans the row.
func (p prefixed) Scan(dest ...any) error {
	return p.Rows.Scan(append(slices.Clone(p.dest), dest...)...)
}

// scanCard scans columnsOfCards.
func scanCard(rows driver.Rows, before []any) (Call, error) {
	var c Call
	var text string
	var now int64
	if err := rows.Scan(append(slices.Clone(before), &c.Tenant, &c.CorrelationID, &c.CallIDs, &c.Start, &text, &now)...); err != nil {
		return c, err
	}
	card, err := callcard.Decode(text, c.Start)
	if err != nil {
		return c, fmt.Errorf("card of call %q: %w", c.CorrelationID, err)
	}
	moment := func(t time.Time) *time.Time {
		if t.IsZero() {
			return nil
		}
		return &t
	}
	c.Method, c.Ring, c.Answer, c.End, c.LastSeen = card.Method, moment(card.Ring), moment(card.Answer), moment(card.End), card.LastSeen
	c.PDDMs, c.SRDMs, c.RingMs, c.DurationS, c.SDDMs = card.PDDMs, card.SRDMs, card.RingMs, card.DurationS, card.SDDMs
	c.Outcome = Outcome(schema.OutcomeAt(card.Outcome, card.Ring, card.Answer, card.LastSeen, time.UnixMicro(now)))
	c.FinalStatus, c.FinalReason, c.Q850, c.ReleasedBy = card.FinalStatus, card.FinalReason, card.Q850, card.ReleasedBy
	c.FromUser, c.FromDomain, c.ToUser, c.ToDomain, c.RURIUser = card.FromUser, card.FromDomain, card.ToUser, card.ToDomain, card.RURIUser
	c.SrcIP, c.SrcPort, c.DstIP, c.DstPort = unmap(card.Src.Addr()), card.Src.Port(), unmap(card.Dst.Addr()), card.Dst.Port()
	c.UserAgents, c.Codecs, c.Nodes = card.UserAgents, card.Codecs, card.Nodes
	c.Messages, c.Retransmissions, c.Hops = card.Messages, card.Retransmissions, card.Hops
	c.MOSMin, c.MOSAvg, c.LossPercent, c.JitterMs = card.MOSMin, card.MOSAvg, card.LossPercent, card.JitterMs
	c.LegReasons, c.LegConfidences = card.LegReasons, card.LegConfidences
	return c, nil
}
