package sqluser

import (
	"slices"
	"strconv"
	"strings"

	"github.com/heplake/heplake/schema"
)

// Readable lists the tables and views that an SQL user may read: all those that
// say whose their rows are. What has no tenant (who migrated, which assembler
// works) is nobody's, and materialized views, which read with the rights of who
// made them, are not for reading.
func Readable(o schema.Options) []string {
	var out []string
	add := func(name string, columns []schema.Column) {
		if slices.ContainsFunc(columns, func(c schema.Column) bool { return c.Name == "tenant" }) {
			out = append(out, name)
			if local := o.LocalName(name); local != name {
				out = append(out, local)
			}
		}
	}
	for _, t := range slices.Concat(schema.Tables(), schema.Derived()) {
		add(t.Name, t.Columns)
	}
	for _, v := range schema.Views() {
		add(v.Name, v.Columns)
	}
	return out
}

// filter is the condition for rows that the user sees. Views read with the rights
// of who asks, so that it holds of the tables below them as well.
func (u *User) filter() string {
	var parts []string
	if len(u.Tenants) > 0 {
		quoted := make([]string, len(u.Tenants))
		for i, t := range u.Tenants {
			quoted[i] = schema.Quote(t)
		}
		parts = append(parts, "tenant IN ("+strings.Join(quoted, ", ")+")")
	}
	if !u.Expires.IsZero() {
		parts = append(parts, "now() < toDateTime("+strconv.FormatInt(u.Expires.Unix(), 10)+")")
	}
	if len(parts) == 0 {
		return "1"
	}
	return strings.Join(parts, " AND ")
}

// setting is a ClickHouse setting of a user. One without a maximum cannot be
// changed at all.
type setting struct{ name, value, least, most string }

// settings are the user's. readonly = 2 lets a client send settings, which most
// cannot do without (clickhouse-go and JDBC turn time-outs and compression into
// such), but not change readonly itself; the constraints keep limits from being
// raised. 0 means no limit to ClickHouse, hence the minima.
func (u *User) settings() []setting {
	limit := func(name string, n uint64) setting {
		s := strconv.FormatUint(n, 10)
		return setting{name, s, "1", s}
	}
	l := u.Limits
	seconds := strconv.FormatFloat(l.MaxTime.Seconds(), 'f', -1, 64)
	return []setting{
		{"readonly", "2", "", ""},
		{"allow_ddl", "0", "", ""},
		// Whoever reads other people's traffic stays in the log.
		{"log_queries", "1", "", ""},
		{"max_execution_time", seconds, "0.001", seconds},
		{"timeout_before_checking_execution_speed", "0", "", ""},
		limit("max_memory_usage", l.MaxMemory),
		limit("max_memory_usage_for_user", l.MaxMemory),
		limit("max_rows_to_read", l.MaxRowsToRead),
		limit("max_result_rows", l.MaxResultRows),
		limit("max_threads", l.MaxThreads),
		// Sorting and grouping that outgrow memory go to the disk, not without end.
		limit("max_temporary_data_on_disk_size_for_user", 4*l.MaxMemory),
		{"max_concurrent_queries_for_user", strconv.FormatUint(l.MaxQueries, 10), "", ""},
		{"query_cache_share_between_users", "0", "", ""},
	}
}
