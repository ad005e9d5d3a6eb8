package assemble

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/heplake/heplake/internal/digest"
	"github.com/heplake/heplake/schema"
)

// slotWidth is the time that a digest covers.
const slotWidth = digest.SlotSeconds * time.Second

// legID names a leg.
type legID struct{ tenant, callID string }

// span is a range of slots, both ends included.
type span struct{ from, to time.Time }

func (s span) wider(d time.Duration) span { return span{s.from.Add(-d), s.to.Add(d)} }

func (s span) sql(column string) string {
	return column + " >= toDateTime(" + strconv.FormatInt(max(0, s.from.Unix()), 10) + ") AND " + column + " <= toDateTime(" + strconv.FormatInt(max(0, s.to.Unix()), 10) + ")"
}

// slotOf is the slot that a time lies in.
func slotOf(t time.Time) time.Time { return t.Truncate(slotWidth) }

// join is strings.Join, under a name that does not hide behind a field's.
func join(list []string, separator string) string { return strings.Join(list, separator) }

// inList is a list of string literals in parentheses.
func inList(values []string) string {
	var b strings.Builder
	b.WriteByte('(')
	for i, v := range values {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(schema.Quote(v))
	}
	b.WriteByte(')')
	return b.String()
}

func joinInts(list []int64) string {
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = strconv.FormatInt(v, 10)
	}
	return strings.Join(out, ", ")
}

// querySettings are those of every query: lists of ids make long texts, and a
// core of the server's is enough.
var querySettings = clickhouse.Settings{
	"max_query_size": 256 << 20, "max_ast_elements": 10_000_000, "max_expanded_ast_elements": 10_000_000,
	"max_threads": 1, "log_comment": "heplake assembler",
	"output_format_binary_write_json_as_string": 1,
	"load_balancing": sameReplica, "distributed_product_mode": "global",
}

// sameReplica has ClickHouse, where the tables are spread over a cluster, read
// each shard from the replica that rows were written to: what was written is
// then there.
const sameReplica = "in_order"

// rows runs a query and calls row for each of its rows.
func (a *Assembler) rows(ctx context.Context, sql string, row func(*reader)) error {
	body, err := a.cfg.Conn.QueryFormat(clickhouse.Context(ctx, clickhouse.WithSettings(querySettings)), rowBinary, sql)
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	r := newReader(body)
	for r.more() {
		row(r)
	}
	return r.err
}

// legCondition is the condition for digests of the legs within the span.
func legCondition(s span, ids []legID) string {
	tenants := map[string]bool{}
	list := make([]string, len(ids))
	for i, id := range ids {
		tenants[id.tenant] = true
		list[i] = id.callID
	}
	return s.sql("slot") + " AND tenant IN " + inList(keysOf(tenants)) + " AND call_id IN " + inList(list)
}

func keysOf(m map[string]bool) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// at is a time of the server's in SQL.
func at(us int64) string {
	return "fromUnixTimestamp64Micro(toInt64(" + strconv.FormatInt(us, 10) + "))"
}
