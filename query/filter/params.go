package filter

import (
	"strconv"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Params gathers the values of a query, which travel apart from its text. The
// zero value is ready for use; several expressions may share one.
type Params struct {
	// Zone is where times are that an expression writes without a zone; nil is UTC.
	Zone *time.Location

	args []driver.NamedValue
}

// Add adds a value and returns the placeholder that stands for it in the SQL
// text, such as {p0:String}. The type is a ClickHouse type.
func (p *Params) Add(sqlType string, value any) string {
	name := "p" + strconv.Itoa(len(p.args))
	p.args = append(p.args, clickhouse.Named(name, value))
	return "{" + name + ":" + sqlType + "}"
}

// Args are the values as clickhouse-go takes them behind a query.
func (p *Params) Args() []any {
	out := make([]any, len(p.args))
	for i, a := range p.args {
		out[i] = a
	}
	return out
}

// Clone returns a copy to which values can be added without changing p.
func (p *Params) Clone() *Params {
	return &Params{Zone: p.Zone, args: append([]driver.NamedValue(nil), p.args...)}
}
