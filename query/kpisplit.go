package query

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/heplake/heplake/query/filter"
	"github.com/heplake/heplake/schema"
)

// split gives rows the numbers of the series that they belong to.
type split struct {
	// index is SQL for the number of the series that a key, in its braces, belongs
	// to; 0 is the others.
	index string
	// stored is SQL for that of a rollup's row. With keys it is -1 for a row of
	// everything, and -2 less the number for one of a value.
	stored string
	// keys, where it is not empty, is the parameter with all the values of the
	// rollup's dimension that are read: the series rest is everything less these, so
	// that of thousands of values only those few have to be added up.
	keys string
	rest int
}

// none is the rest of a split that has none.
const none = -1

// everything puts all into one series.
var everything = split{index: "toInt64(1)", stored: "toInt64(1)", rest: none}

func (x split) of(key string) string { return strings.ReplaceAll(x.index, "{key}", key) }

// shares is SQL for the array of series that sums go to, and whether they are added
// to or taken away from it, by what stored, or of for rows that are in no rollup,
// says of them.
func (x split) shares(series string) string {
	own, rest := "(-2 - "+series+", toFloat64(1))", "toInt64("+strconv.Itoa(x.rest)+")"
	value := "[" + own + "]"
	if x.rest != none {
		value = "[" + own + ", (" + rest + ", toFloat64(-1))]"
	}
	return "multiIf(" + series + " >= 0, [(" + series + ", toFloat64(1))], " + series + " = -1, [(" + rest + ", toFloat64(1))], " + value + ")"
}

// oneValue are the dimensions of which each row of a source has one value.
var oneValue = []string{"src_ip", "dst_ip", "prefix", "final_status", "released_by", "status"}

// top is a key that weighs much. Of a trunk it has the addresses, unless they are
// too many.
type top struct {
	key       string
	weight    float64
	addresses []string
}

// maxAddresses bounds how many addresses of trunks a query names: with more it looks
// up the trunk of each row.
var maxAddresses = 1000

// splitBy splits by the keys that weigh most.
func (q *kpiQuery) splitBy(tops []top) split {
	names := make([][]string, len(tops))
	for i, t := range tops {
		if names[i] = []string{t.key}; len(q.dims) > 1 {
			names[i] = strings.Split(t.key, separator)
		}
	}
	keys := q.nameTops(names)
	numbers := make([]int64, len(keys))
	for i := range keys {
		numbers[i] = int64(i + 1)
	}
	parameter := q.params.Add("Array(String)", keys)
	number := func(of, keys string, numbers []int64, otherwise int) string {
		return "transform(" + of + ", " + keys + ", " + q.params.Add("Array(Int64)", numbers) + ", toInt64(" + strconv.Itoa(otherwise) + "))"
	}
	x := split{index: number("{key}", parameter, numbers, 0), rest: none}
	if q.result.Truncated {
		x.rest = 0
	}
	switch {
	case !q.rolled:
		return x
	case !q.byTrunk():
		x.stored = x.of(q.value())
		if slices.Contains(oneValue, q.dims[0].Name) {
			x.keys = parameter
		}
	default:
		addresses, numbers, known := q.addresses(tops, keys, &x)
		if !known {
			x.stored = x.of(schema.TrunkSQL("toIPv6OrDefault(value)", filter.TrunksView))
			return x
		}
		x.keys = q.params.Add("Array(String)", addresses)
		x.stored = number("value", x.keys, numbers, max(x.rest, 0))
	}
	if slices.ContainsFunc(q.used(), func(s schema.Sum) bool { return s.Quantiles }) {
		x.keys = "" // states cannot be taken from each other
	}
	if x.keys != "" {
		x.stored = "if(dim = " + schema.Quote(schema.DimensionAll) + ", toInt64(-1), -2 - " + x.stored + ")"
	}
	return x
}

// addresses are those of the trunks, and the numbers of the series that they belong
// to. Known is false when there are too many. What is of no trunk is the rest, when
// it has a series of its own.
func (q *kpiQuery) addresses(tops []top, keys []string, x *split) (addresses []string, numbers []int64, known bool) {
	if i := slices.Index(keys, ""); i >= 0 {
		x.rest = i + 1
	}
	for i, t := range tops {
		number := i + 1
		if number > len(keys) {
			if number = 0; x.rest == 0 {
				continue // they are part of the rest
			}
		}
		if t.key != "" && len(t.addresses) == 0 || len(addresses)+len(t.addresses) > maxAddresses {
			return nil, nil, false
		}
		for _, a := range t.addresses {
			addresses, numbers = append(addresses, a), append(numbers, int64(number))
		}
	}
	return addresses, numbers, true
}

// tops lists the keys that have most of a sum in a window, more than the limit when
// there are as many. They are the same whatever the step: the coarsest rollups say.
func (q *kpiQuery) tops(ctx context.Context, s *Store, w window, sum string) ([]top, error) {
	weight, _ := q.kpi.rollup.Sum(sum)
	dims := q.dims
	if q.byTrunk() {
		dims = []schema.Dimension{q.stored()}
	}
	var parts []string
	for _, r := range q.readings(w, coarsest) {
		if r.resolution == nil {
			parts = append(parts, "SELECT "+q.keyOfRow(dims)+" AS v, "+q.ofRow(weight.Gather())+" AS n"+q.rows(s, r.windows)+" GROUP BY v")
		} else {
			parts = append(parts, "SELECT "+q.value()+" AS v, `"+weight.Name+"` AS n"+q.from(s, r, "dim = "+schema.Quote(q.stored().Name)))
		}
	}
	sql := "SELECT v, sum(n) AS weight FROM (" + strings.Join(parts, "\nUNION ALL\n") + ") GROUP BY v"
	if q.byTrunk() {
		// There are as many as the setting has names.
		sql = "SELECT " + schema.TrunkSQL("toIPv6OrDefault(v)", filter.TrunksView) + " AS key, sum(weight) AS total, if(key = '' OR count() > " + strconv.Itoa(maxAddresses) + ", [], groupArray(v))" +
			" FROM (" + sql + ") GROUP BY key ORDER BY total DESC, key"
	} else {
		sql = "SELECT v, weight, CAST([], 'Array(String)') FROM (" + sql + ") ORDER BY weight DESC, v LIMIT " + q.params.Add("UInt64", uint64(q.limit+1))
	}
	var out []top
	err := s.query(ctx, nil, sql, q.params.Args(), func(rows driver.Rows) error {
		var t top
		if err := rows.Scan(&t.key, &t.weight, &t.addresses); err != nil {
			return err
		}
		out = append(out, t)
		return nil
	})
	return out, err
}
