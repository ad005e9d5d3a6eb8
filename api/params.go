package api

import (
	"encoding/json"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // zones have names also where the system knows none
)

// params reads the query parameters of a request and remembers the first that
// is wrong.
type params struct {
	values url.Values
	known  []string
	now    time.Time
	zone   *time.Location // of times without one; nil is UTC
	err    error
}

// zeroTime is the now of requests that hold no time.
var zeroTime time.Time

func newParams(u *url.URL, now time.Time) *params {
	values, err := url.ParseQuery(u.RawQuery)
	p := &params{values: values, now: now}
	if err != nil {
		p.err = bad("", "the query string cannot be read: "+err.Error())
	}
	return p
}

func (p *params) wrong(name, detail string) {
	if p.err == nil {
		p.err = bad(name, detail)
	}
}

// text returns a parameter that may be given once.
func (p *params) text(name string) string {
	p.known = append(p.known, name)
	if v := p.values[name]; len(v) > 1 {
		p.wrong(name, name+" is given more than once")
	}
	return p.values.Get(name)
}

// list returns a parameter that may be given several times, each time with
// several values parted by commas.
func (p *params) list(name string) []string {
	p.known = append(p.known, name)
	var out []string
	for _, v := range p.values[name] {
		for _, one := range strings.Split(v, ",") {
			if one = strings.TrimSpace(one); one != "" {
				out = append(out, one)
			}
		}
	}
	return out
}

// timeZone reads tz, the zone of the times that the request gives without one: an
// IANA name, or an offset such as +01:00. It is asked for before any time.
func (p *params) timeZone() *time.Location {
	s := p.text("tz")
	if s == "" {
		return nil
	}
	zone, err := parseZone(s)
	if err != nil {
		p.wrong("tz", err.Error())
		return nil
	}
	p.zone = zone
	return zone
}

// parseZone reads a time zone.
func parseZone(s string) (*time.Location, error) {
	if t, err := time.Parse("-07:00", strings.ReplaceAll(s, " ", "+")); err == nil { // an unescaped + arrives as a blank
		_, offset := t.Zone()
		return time.FixedZone(s, offset), nil
	}
	zone, err := time.LoadLocation(s)
	if err != nil || s == "Local" {
		return nil, fmt.Errorf("tz takes an IANA time zone such as Europe/Berlin, or an offset such as +01:00, not %q", s)
	}
	return zone, nil
}

// time returns a time; the zero time when it is not given.
func (p *params) time(name string) time.Time {
	s := p.text(name)
	if s == "" {
		return time.Time{}
	}
	t, err := parseTimeIn(s, p.now, p.zone)
	if err != nil {
		p.wrong(name, name+": "+err.Error())
	}
	return t
}

// count returns a whole number from 1 to most; 0 when it is not given.
func (p *params) count(name string, most int) int {
	s := p.text(name)
	if s == "" {
		return 0
	}
	n, err := parseCount(s, most)
	if err != nil {
		p.wrong(name, name+": "+err.Error())
	}
	return n
}

// flag returns a boolean.
func (p *params) flag(name string, fallback bool) bool {
	s := p.text(name)
	if s == "" {
		return fallback
	}
	v, err := strconv.ParseBool(s)
	if err != nil {
		p.wrong(name, fmt.Sprintf("%s takes true or false, not %q", name, s))
	}
	return v
}

// duration returns a length of time: a Go duration ("1m30s") or seconds.
func (p *params) duration(name string) time.Duration {
	s := p.text(name)
	if s == "" {
		return 0
	}
	if n, err := strconv.ParseUint(s, 10, 31); err == nil {
		return time.Duration(n) * time.Second
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		p.wrong(name, fmt.Sprintf("%s takes a duration such as 60s or 5m, not %q", name, s))
	}
	return d
}

// check returns the first thing wrong, a parameter that nobody asked for included:
// a mistyped name must not look like an empty search.
func (p *params) check() error {
	if p.err != nil {
		return p.err
	}
	for name := range p.values {
		if !slices.Contains(p.known, name) {
			slices.Sort(p.known)
			return bad(name, fmt.Sprintf("unknown parameter %q; there are %s", name, strings.Join(p.known, ", ")))
		}
	}
	return nil
}

// timeHelp ends the errors about times.
const timeHelp = "a time such as 2026-01-31T12:00:00Z, milliseconds or seconds since the epoch, now or now-15m"

// parseTime reads a time: RFC 3339 (without a zone it is UTC), a number since the
// epoch, or now and what was before.
func parseTime(s string, now time.Time) (time.Time, error) { return parseTimeIn(s, now, nil) }

// parseTimeIn is parseTime with times without a zone in one, UTC when nil.
func parseTimeIn(s string, now time.Time, zone *time.Location) (time.Time, error) {
	if zone == nil {
		zone = time.UTC
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02"} {
		if t, err := time.ParseInLocation(layout, s, zone); err == nil {
			return t.UTC(), checkYear(t, s)
		}
	}
	if back, ok := strings.CutPrefix(s, "now"); ok {
		if back == "" {
			return now.UTC(), nil
		}
		if d, ok := parseBack(back); ok {
			return now.Add(-d).UTC(), nil
		}
	}
	if v, err := strconv.ParseFloat(s, 64); err == nil {
		return epoch(v, s)
	}
	return time.Time{}, fmt.Errorf("%q is not %s", s, timeHelp)
}

// parseBack reads "-15m", "-7d".
func parseBack(s string) (time.Duration, bool) {
	s, ok := strings.CutPrefix(s, "-")
	if !ok {
		return 0, false
	}
	for unit, hours := range map[string]int64{"d": 24, "w": 7 * 24} {
		if n, ok := strings.CutSuffix(s, unit); ok {
			v, err := strconv.ParseUint(n, 10, 14)
			return time.Duration(v) * time.Duration(hours) * time.Hour, err == nil
		}
	}
	d, err := time.ParseDuration(s)
	return d, err == nil && d >= 0
}

// epoch reads a number since the epoch. Seconds, milliseconds, microseconds and
// nanoseconds of any date that matters differ in their size.
func epoch(v float64, s string) (time.Time, error) {
	unit := float64(time.Second)
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0) || v < 0:
		return time.Time{}, fmt.Errorf("%q is not %s", s, timeHelp)
	case v >= 1e17:
		unit = 1
	case v >= 1e14:
		unit = float64(time.Microsecond)
	case v >= 1e11:
		unit = float64(time.Millisecond)
	}
	if v*unit > math.MaxInt64/2 {
		return time.Time{}, fmt.Errorf("%q is not %s", s, timeHelp)
	}
	if i, err := strconv.ParseInt(s, 10, 64); err == nil { // exact to the nanosecond
		t := time.Unix(0, i*int64(unit)).UTC()
		return t, checkYear(t, s)
	}
	// A float64 has room for microseconds of our time, not for nanoseconds.
	t := time.UnixMicro(int64(math.Round(v * unit / 1000))).UTC()
	return t, checkYear(t, s)
}

// checkYear refuses times that ClickHouse's DateTime64 does not have.
func checkYear(t time.Time, s string) error {
	if t.Year() < 1970 || t.Year() > 2200 {
		return fmt.Errorf("%q is not between 1970 and 2200", s)
	}
	return nil
}

func parseCount(s string, most int) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > most {
		return 0, fmt.Errorf("takes a whole number from 1 to %d, not %q", most, s)
	}
	return n, nil
}

// scalar is a JSON string or number as text; clients send either.
type scalar struct {
	text string
	set  bool
}

// UnmarshalJSON implements json.Unmarshaler.
func (v *scalar) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil
	}
	v.set = true
	if len(b) > 0 && b[0] == '"' {
		return json.Unmarshal(b, &v.text)
	}
	var n json.Number
	if err := json.Unmarshal(b, &n); err != nil {
		return fmt.Errorf("takes a string or a number, not %.40s", b)
	}
	v.text = n.String()
	return nil
}
