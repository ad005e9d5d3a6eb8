package query

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/heplake/heplake/query/filter"
	"github.com/heplake/heplake/schema"
)

// BulkRequest asks for rows of a table or view as they are, for other programs.
type BulkRequest struct {
	// Table is one of BulkTables.
	Table string
	// Filter is an expression of package filter about what the table has rows of;
	// empty for every row. A filter on calls means what it means in CallsRequest.
	Filter string
	// From and To bound the rows' times: [From, To). A zero To is now, a zero From is
	// a day before To. Calls are those that began before To and went on at From.
	From, To time.Time
	// Zone is where times in Filter are that name no zone; nil is UTC.
	Zone *time.Location
	// Columns are the columns wanted, in this order; all when empty.
	Columns []string
	// Limit is how many rows are given at most; 0 for no limit. With one the oldest
	// hours come first.
	Limit uint64
	// Tenant restricts the rows to one tenant's; empty is all.
	Tenant string
}

// Bulk is a request as SQL. It holds no values: these are in Params.
type Bulk struct {
	// Select has the rows, sorted by hour and what belongs together. It ends where
	// FORMAT can follow.
	Select string
	// Count has one row with one number: how many rows Select would have without a
	// limit, counted no further than one more than the limit.
	Count string
	// Params are the values of placeholders as ClickHouse's HTTP interface takes them.
	Params map[string]string
	// Columns are those of the rows. Addresses are text: an IPv4 address without the
	// prefix that maps it, an unknown one empty.
	Columns []schema.Column
	// From and To are the window, now filled in.
	From, To time.Time
}

// bulkTable is something that rows are given of.
type bulkTable struct {
	name    string
	columns []schema.Column
	// time bounds the rows; order begins with the table's own, so that rows come as
	// they lie.
	time, order string
	// target compiles filters; nil where there are none.
	target *filter.Target
}

func bulkTables() []bulkTable {
	const byCall = "toStartOfHour(time), correlation_id, time"
	tables := []bulkTable{
		{"calls", schema.Calls.Columns, "start", "toStartOfHour(start), tenant, correlation_id", filter.Calls},
		{"registrations", schema.Registrations.Columns, "start", "toStartOfHour(start), tenant, call_id, start", filter.Registrations},
		{"sip", schema.SIP.Readable(), "time", byCall, filter.Messages},
		{"media", schema.Media.Columns, "time", byCall, filter.Reports},
		{"events", schema.Events.Columns, "time", byCall, filter.Events},
	}
	// Views for analysts are whole for themselves. Their first column is the time.
	for _, v := range schema.AnalystViews() {
		if !slices.Contains([]string{"start", "time", "hour", "day", "bucket"}, v.Columns[0].Name) {
			continue // settings, not records
		}
		t := bulkTable{name: v.Name, columns: v.Columns, time: v.Columns[0].Name}
		if t.order = t.time; v == schema.Messages {
			t.order = "hour, correlation_id, time"
		}
		tables = append(tables, t)
	}
	return tables
}

// BulkTables lists what Bulk gives rows of.
func BulkTables() []string {
	var out []string
	for _, t := range bulkTables() {
		out = append(out, t.name)
	}
	return out
}

// NewBulk makes SQL of a request for the tables of a database. The error is a
// *filter.Error, or wraps ErrInvalid.
func NewBulk(database string, r BulkRequest) (*Bulk, error) {
	all := bulkTables()
	i := slices.IndexFunc(all, func(t bulkTable) bool { return t.name == r.Table })
	if i < 0 {
		return nil, fmt.Errorf("%w: there is no table %q; there are %s", ErrInvalid, r.Table, strings.Join(BulkTables(), ", "))
	}
	t := all[i]
	w, err := windowOf(r.From, r.To, 24*time.Hour)
	if err != nil {
		return nil, err
	}
	columns, err := t.choose(r.Columns)
	if err != nil {
		return nil, err
	}
	p := &filter.Params{Zone: r.Zone}
	from := "`" + database + "`."
	with, where, err := t.condition(r, from, w, p)
	if err != nil {
		return nil, err
	}
	b := &Bulk{Columns: columns, From: w.from, To: w.to}
	var inner, outer []string
	for _, c := range columns {
		name := "`" + c.Name + "`"
		inner = append(inner, name)
		if c.Kind == schema.Addr {
			text := "toString(" + name + ")"
			name = "multiIf(" + text + " = '::', '', startsWith(" + text + ", '::ffff:'), substring(" + text + ", 8), " + text + ") AS " + name
		}
		outer = append(outer, name)
	}
	body := " FROM " + from + "`" + t.name + "` WHERE " + where
	count, limit := "", ""
	if r.Limit > 0 {
		limit = " LIMIT " + p.Add("UInt64", r.Limit)
		count = " LIMIT " + p.Add("UInt64", r.Limit+1)
	}
	b.Select = "SELECT " + strings.Join(outer, ", ") + "\nFROM (" + with + "SELECT " + strings.Join(inner, ", ") + body + " ORDER BY " + t.order + limit + ")"
	b.Count = "SELECT count() FROM (" + with + "SELECT 1" + body + count + ")"
	b.Params = p.Texts()
	return b, nil
}

// choose finds the columns that are wanted.
func (t bulkTable) choose(names []string) ([]schema.Column, error) {
	if len(names) == 0 {
		return t.columns, nil
	}
	var out []schema.Column
	for _, name := range names {
		i := slices.IndexFunc(t.columns, func(c schema.Column) bool { return c.Name == name })
		if i < 0 {
			var have []string
			for _, c := range t.columns {
				have = append(have, c.Name)
			}
			return nil, fmt.Errorf("%w: %s has no column %q; it has %s", ErrInvalid, t.name, name, strings.Join(have, ", "))
		}
		if slices.ContainsFunc(out, func(c schema.Column) bool { return c.Name == name }) {
			return nil, fmt.Errorf("%w: column %s is named twice", ErrInvalid, name)
		}
		out = append(out, t.columns[i])
	}
	return out, nil
}

// condition is what stands before SELECT and behind WHERE.
func (t bulkTable) condition(r BulkRequest, from string, w window, p *filter.Params) (with, where string, err error) {
	tenant := " AND " + tenantCondition(r.Tenant, p)
	at := func(micro int64) string { return "fromUnixTimestamp64Micro(" + p.Add("Int64", micro) + ")" }
	switch {
	case t.target == nil && r.Filter != "":
		return "", "", fmt.Errorf("%w: %s takes no filter; calls, registrations, sip, media and events do", ErrInvalid, t.name)
	case t.target == filter.Calls:
		with, where, err = bulkCalls(r, from, w, p)
	case t.target == nil:
		where = "`" + t.time + "` >= " + at(w.from.UnixMicro()) + " AND `" + t.time + "` < " + at(w.to.UnixMicro())
		if slices.ContainsFunc(t.columns, func(c schema.Column) bool { return c.Name == "hour" }) && t.time != "hour" {
			where += " AND hour >= " + hour(w.from, p) + " AND hour <= " + hour(w.to, p)
		}
	default:
		if where = w.condition(p); t.time == "start" {
			where = w.starts(p)
		}
		var plan filter.RowPlan
		plan, err = t.target.CompileRows(r.Filter, p)
		where += " AND " + plan.Where
	}
	return with, where + tenant, err
}

// bulkCalls is the condition on rows of calls: as a search has it, a call matches
// when a message in the window meets what the filter asks of messages, and the call
// as a whole meets the rest.
func bulkCalls(r BulkRequest, from string, w window, p *filter.Params) (with, where string, err error) {
	plan, err := filter.CompileCalls(r.Filter, p)
	if err != nil {
		return "", "", err
	}
	near := window{w.from.Add(-startMargin), w.to}
	where = near.starts(p) + " AND last_seen >= fromUnixTimestamp64Micro(" + p.Add("Int64", w.from.UnixMicro()) + ")"
	flags, rows, _ := asksRows(plan, p)
	if !rows {
		// Messages tell. Their Call-IDs are the call's.
		has := func(in window, condition string) string {
			return "arrayExists(x -> (tenant, x) IN (SELECT tenant, call_id FROM " + from + "`sip` WHERE " + in.condition(p) + " AND " + tenantCondition(r.Tenant, p) +
				" AND " + condition + "), call_ids)"
		}
		flags = nil
		for _, m := range plan.Messages {
			flags = append(flags, has(window{near.from, w.to.Add(startMargin)}, m))
		}
		if plan.Prefilter != "1" {
			where += " AND " + has(w, plan.Prefilter)
		}
	}
	return withFlags(flags), where + " AND " + plan.Match, nil
}
