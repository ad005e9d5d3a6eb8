package cli

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/heplake/heplake/query"
)

// CSV writes calls as RFC 4180 has it: a header line, CRLF at line ends, every
// column of a call under its JSON name. Times are RFC 3339 in UTC with
// microseconds, lists are separated by a blank (user agents, which have blanks,
// by a vertical bar), and what is not known is empty.
func CSV(w io.Writer, calls []query.Call) error {
	out := csv.NewWriter(w)
	out.UseCRLF = true
	t := reflect.TypeFor[query.Call]()
	row := make([]string, t.NumField())
	for i := range row {
		row[i] = columnName(t.Field(i))
	}
	if err := out.Write(row); err != nil {
		return err
	}
	for _, c := range calls {
		v := reflect.ValueOf(c)
		for i := range row {
			row[i] = csvField(v.Field(i).Interface(), columnName(t.Field(i)))
		}
		if err := out.Write(row); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

func columnName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}

func csvField(v any, name string) string {
	switch v := v.(type) {
	case string:
		return v
	case query.Outcome:
		return string(v)
	case uint16:
		return strconv.FormatUint(uint64(v), 10)
	case uint64:
		return strconv.FormatUint(v, 10)
	case time.Time:
		return csvTime(v)
	case *time.Time:
		if v == nil {
			return ""
		}
		return csvTime(*v)
	case *float64:
		if v == nil {
			return ""
		}
		return strconv.FormatFloat(*v, 'f', -1, 64)
	case []string:
		if name == "user_agents" {
			return strings.Join(v, "|")
		}
		return strings.Join(v, " ")
	case netip.Addr:
		if !v.IsValid() {
			return ""
		}
		return v.Unmap().String()
	}
	// A column of a new type: right, if not pretty, until it has a case above.
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(b)
}

func csvTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000000Z")
}
