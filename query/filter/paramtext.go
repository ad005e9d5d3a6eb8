package filter

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// Texts are the values by their placeholders' names, written as ClickHouse's HTTP
// interface takes them (param_p0): for queries whose results go on as they come,
// past clickhouse-go.
func (p *Params) Texts() map[string]string {
	out := make(map[string]string, len(p.args))
	for _, a := range p.args {
		out[a.Name] = paramText(a.Value)
	}
	return out
}

// escaper escapes a value as in tab-separated text, quoter one in an array.
var (
	escaper     = strings.NewReplacer("\\", "\\\\", "\t", "\\t", "\n", "\\n", "\r", "\\r", "\x00", "\\0")
	arrayQuoter = strings.NewReplacer("\\", "\\\\", "'", "\\'", "\t", "\\t", "\n", "\\n", "\r", "\\r", "\x00", "\\0")
)

func paramText(value any) string {
	if s, ok := value.(string); ok {
		return escaper.Replace(s)
	}
	v := reflect.ValueOf(value)
	if v.Kind() != reflect.Slice {
		return scalarText(value)
	}
	parts := make([]string, v.Len())
	for i := range parts {
		one := v.Index(i).Interface()
		if s, ok := one.(string); ok {
			parts[i] = "'" + arrayQuoter.Replace(s) + "'"
		} else {
			parts[i] = scalarText(one)
		}
	}
	return "[" + strings.Join(parts, ",") + "]"
}

func scalarText(value any) string {
	if f, ok := value.(float64); ok {
		return strconv.FormatFloat(f, 'g', -1, 64)
	}
	return fmt.Sprint(value)
}
