package filter

import (
	"fmt"
	"math"
	"net/netip"
	"regexp/syntax"
	"strconv"
	"strings"
	"time"
)

// operandValue is a value checked and converted; a range when isRange.
type operandValue struct {
	low, high any
	isRange   bool
}

// checkCond checks that the (positive) operator and the values suit the field.
func checkCond(n *Cond, f Field, op Op, zone *time.Location) ([]operandValue, *Error) {
	if err := checkOp(n, f, op); err != nil {
		return nil, err
	}
	out := make([]operandValue, len(n.Values))
	for i, v := range n.Values {
		var expected string
		out[i], expected = convert(f, op, v, zone)
		if expected != "" {
			got := excerpt(v.Text)
			if v.Quoted {
				got = "the string " + got
			}
			return nil, &Error{Pos: v.At, Got: got, Expected: expected + " for " + f.Name}
		}
	}
	return out, nil
}

func checkOp(n *Cond, f Field, op Op) *Error {
	var names []string
	for _, o := range f.Ops() {
		if o == op {
			return nil
		}
		if _, negative := o.negative(); !negative {
			names = append(names, o.String())
		}
	}
	hint := ""
	switch {
	case f.Type == Address && (op == Like || op == Match):
		hint = ", as in " + f.Name + " in 10.0.0.0/8"
	case f.class && (op == Like || op == Match):
		hint = ", as in " + f.Name + " = 4xx"
	}
	return &Error{
		Pos: n.OpPos, Got: n.Op.String(),
		Expected: fmt.Sprintf("one of %s for %s%s", strings.Join(names, " "), f.Name, hint),
	}
}

// convert checks and converts one value; expected is what would have been
// right, "" when it is.
func convert(f Field, op Op, v Value, zone *time.Location) (out operandValue, expected string) {
	switch f.Type {
	case Number:
		return number(f, op, v.Text)
	case Address:
		return address(v.Text)
	case Timestamp:
		return timestamp(v.Text, zone)
	}
	text := v.Text
	switch {
	case op == Like:
		if endsInEscape(text) {
			return out, `a pattern that does not end in a single \`
		}
	case op == Match:
		if _, err := syntax.Parse(text, syntax.Perl); err != nil {
			return out, "a regular expression (" + reason(err) + ")"
		}
	case f.fold == "upper":
		text = strings.ToUpper(text)
	case f.fold == "lower":
		text = strings.ToLower(text)
	}
	if len(f.Values) > 0 && (op == Eq || op == In) && !contains(f.Values, text) {
		return out, "one of " + strings.Join(f.Values, ", ")
	}
	return operandValue{low: text}, ""
}

func reason(err error) string {
	if e, ok := err.(*syntax.Error); ok {
		return e.Code.String() + " " + excerpt(e.Expr)
	}
	return err.Error()
}

// endsInEscape reports whether a LIKE pattern ends in an escape of nothing,
// which ClickHouse refuses.
func endsInEscape(s string) bool {
	n := len(s) - len(strings.TrimRight(s, `\`))
	return n%2 == 1
}

func contains(list []string, s string) bool {
	for _, e := range list {
		if e == s {
			return true
		}
	}
	return false
}

func number(f Field, op Op, s string) (out operandValue, expected string) {
	if f.unit != 0 && !f.integer {
		if d, err := time.ParseDuration(s); err == nil {
			return operandValue{low: float64(d) / float64(f.unit)}, ""
		}
	}
	if f.class && len(s) == 3 && s[0] >= '1' && s[0] <= '6' && strings.EqualFold(s[1:], "xx") {
		if op != Eq && op != In {
			return out, "a number after " + op.String()
		}
		class := int(s[0]-'0') * 100
		return operandValue{low: class, high: class + 99, isRange: true}, ""
	}
	if !f.integer {
		v, err := strconv.ParseFloat(s, 64)
		if err != nil || math.IsNaN(v) || math.IsInf(v, 0) || v < f.min || v > f.max {
			if f.unit != 0 {
				return out, "a number, or a length of time such as 30s or 1m30s,"
			}
			return out, "a number"
		}
		return operandValue{low: v}, ""
	}
	if f.signed {
		v, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return out, "a whole number"
		}
		return operandValue{low: v}, ""
	}
	v, err := strconv.ParseUint(s, 10, 64)
	switch {
	case err != nil && f.class:
		return out, "a status code, or a class such as 4xx,"
	case err != nil:
		return out, "a whole number"
	case float64(v) > f.max:
		return out, fmt.Sprintf("a number up to %.0f", f.max)
	}
	return operandValue{low: v}, ""
}

func address(s string) (out operandValue, expected string) {
	if strings.Contains(s, "/") {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			return out, "a network such as 10.0.0.0/8 or 2001:db8::/32"
		}
		low, high := bounds(p)
		return operandValue{low: low, high: high, isRange: true}, ""
	}
	a, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"))
	if err != nil || a.Zone() != "" {
		return out, "an IP address or a network such as 10.0.0.0/8"
	}
	return operandValue{low: mapped(a)}, ""
}

// mapped is the address as the tables store it.
func mapped(a netip.Addr) string { return netip.AddrFrom16(a.As16()).String() }

// bounds are the first and the last address of a network.
func bounds(p netip.Prefix) (low, high string) {
	first := p.Masked().Addr()
	bits := p.Bits()
	if first.Is4() {
		bits += 96
	}
	last := first.As16()
	for i := bits; i < 128; i++ {
		last[i/8] |= 1 << (7 - i%8)
	}
	return mapped(first), netip.AddrFrom16(last).String()
}

// timeLayouts are the ways of writing a time.
var timeLayouts = []string{
	time.RFC3339Nano, "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999", "2006-01-02T15:04:05.999999999",
	"2006-01-02 15:04", "2006-01-02T15:04", "2006-01-02",
}

// timestamp reads a time. One without an offset is in the zone whose IANA name
// stands behind it, else in zone.
func timestamp(s string, zone *time.Location) (out operandValue, expected string) {
	if zone == nil {
		zone = time.UTC
	}
	text := s
	if i := strings.LastIndexByte(s, ' '); i > 0 && len(s) < maxTime && isLetter(s[i+1:]) {
		named, err := time.LoadLocation(s[i+1:])
		if err != nil {
			return out, "an IANA time zone such as Europe/Berlin behind the time"
		}
		text, zone = strings.TrimRight(s[:i], " "), named
	}
	for _, layout := range timeLayouts {
		if t, err := time.ParseInLocation(layout, text, zone); err == nil {
			return operandValue{low: t.UnixMicro()}, ""
		}
	}
	if v, err := strconv.ParseFloat(s, 64); err == nil && v >= 0 && v < 1e12 {
		return operandValue{low: int64(v * 1e6)}, ""
	}
	return out, `a time such as "2006-01-02 15:04:05" (with Europe/Berlin or +01:00 behind it where need be) or seconds since the epoch`
}

// maxTime bounds the text of a time.
const maxTime = 100

// isLetter reports whether s begins with a letter, as the names of zones do.
func isLetter(s string) bool {
	return s != "" && (s[0]|0x20) >= 'a' && (s[0]|0x20) <= 'z'
}
