package cli

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Zone finds a time zone by what people write: "" or "local", "utc", a name of
// the time zone database ("Europe/Berlin"), or an offset ("+02:00").
func Zone(name string) (*time.Location, error) {
	switch strings.ToLower(name) {
	case "", "local":
		return time.Local, nil
	case "utc", "z":
		return time.UTC, nil
	}
	for _, layout := range []string{"-07:00", "-0700", "-07"} {
		if t, err := time.Parse(layout, name); err == nil {
			_, offset := t.Zone()
			return time.FixedZone(name, offset), nil
		}
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("time zone %q: want local, utc, a name like Europe/Berlin or an offset like +02:00", name)
	}
	return loc, nil
}

// Since reads the beginning of a time window: a duration back from now ("1h",
// "1h30m", "7d", "2w", "now-1h"), a day ("today", "yesterday", "2026-11-20",
// "20.11.2026") meaning its midnight, a day and time ("2026-11-20 14:30",
// "yesterday 14:30", RFC 3339), a time alone ("14:30"), or a Unix time in
// seconds, milliseconds or microseconds. A time without a zone is in now's; a
// time alone that is yet to come was yesterday. The empty text is the zero
// time.
func Since(s string, now time.Time) (time.Time, error) { return when("since", s, now, false) }

// Until reads the end of a time window as Since reads its beginning, except
// that a day means the end of it: since yesterday until yesterday is one day.
func Until(s string, now time.Time) (time.Time, error) { return when("until", s, now, true) }

func when(flag, s string, now time.Time, end bool) (time.Time, error) {
	text := strings.TrimSpace(s)
	if text == "" {
		return time.Time{}, nil
	}
	if t, ok := relative(text, now); ok {
		return t, nil
	}
	if t, ok := unix(text); ok {
		return t, nil
	}
	if t, ok := calendar(text, now, end); ok {
		return t, nil
	}
	return time.Time{}, fmt.Errorf("--%s %q is no time; it takes 1h, 30m, 7d, now-1h, today, yesterday, 14:30, 2026-11-20, \"2026-11-20 14:30\", 2026-11-20T14:30:00Z or a Unix time", flag, s)
}

var (
	relativeForm = regexp.MustCompile(`^(?:now\s*-?\s*)?((?:\d+(?:\.\d+)?(?:ms|s|m|h|d|w))*)(?:\s+ago)?$`)
	durationPart = regexp.MustCompile(`(\d+(?:\.\d+)?)(ms|s|m|h|d|w)`)
	units        = map[string]time.Duration{
		"ms": time.Millisecond, "s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour, "w": 7 * 24 * time.Hour,
	}
)

// relative reads "1h30m", "now", "now-1h", "2d ago". Whole days and weeks are
// days of the calendar: a week ago is the same time of day, also across a
// change of the clocks.
func relative(s string, now time.Time) (time.Time, bool) {
	lower := strings.ToLower(s)
	m := relativeForm.FindStringSubmatch(lower)
	if m == nil || m[1] == "" && lower != "now" {
		return time.Time{}, false
	}
	t := now
	for _, part := range durationPart.FindAllStringSubmatch(m[1], -1) {
		n, err := strconv.ParseFloat(part[1], 64)
		if err != nil {
			return time.Time{}, false
		}
		unit := units[part[2]]
		if days := n * unit.Hours() / 24; unit >= 24*time.Hour && days == float64(int(days)) && days < 1e6 {
			t = t.AddDate(0, 0, -int(days))
			continue
		}
		d := n * float64(unit)
		if d > float64(1<<62) {
			return time.Time{}, false
		}
		t = t.Add(-time.Duration(d))
	}
	return t, true
}

// unix reads seconds, milliseconds or microseconds since 1970 by their number
// of digits: 10, 13, 16. Fewer are not taken: 20261120 is more likely a slip.
func unix(s string) (time.Time, bool) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 {
		return time.Time{}, false
	}
	switch len(s) {
	case 10:
		return time.Unix(n, 0), true
	case 13:
		return time.UnixMilli(n), true
	case 16:
		return time.UnixMicro(n), true
	}
	return time.Time{}, false
}

var (
	clockLayouts = []string{"15:04", "15:04:05", "15:04:05.999999"}
	dayLayouts   = []string{"2006-01-02", "2006/01/02", "02.01.2006", "2 Jan 2006"}
)

func calendar(s string, now time.Time, end bool) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02 15:04:05.999999Z07:00", "2006-01-02T15:04Z07:00", time.RFC1123Z, time.RFC1123} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true
		}
	}
	midnight := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, now.Location())
	if h, ok := clock(s); ok {
		t := h.on(midnight)
		if t.After(now) {
			t = h.on(midnight.AddDate(0, 0, -1))
		}
		return t, true
	}
	day, rest, ok := splitDay(s, midnight)
	if !ok {
		return time.Time{}, false
	}
	if rest == "" {
		if end {
			return day.AddDate(0, 0, 1), true
		}
		return day, true
	}
	h, ok := clock(rest)
	return h.on(day), ok
}

// splitDay reads the day that s begins with and returns what follows it.
func splitDay(s string, today time.Time) (day time.Time, rest string, ok bool) {
	for word, t := range map[string]time.Time{"today": today, "yesterday": today.AddDate(0, 0, -1)} {
		if rest, ok := cutWord(s, word); ok {
			return t, rest, true
		}
	}
	for _, layout := range dayLayouts {
		// A day takes as many blanks as its layout has; the time follows.
		for i := len(s); i > 0; i-- {
			if i < len(s) && s[i] != ' ' && s[i] != 'T' {
				continue
			}
			if t, err := time.ParseInLocation(layout, s[:i], today.Location()); err == nil {
				return t, strings.TrimLeft(s[i:], " T"), true
			}
		}
	}
	return time.Time{}, "", false
}

func cutWord(s, word string) (rest string, ok bool) {
	if len(s) < len(word) || !strings.EqualFold(s[:len(word)], word) {
		return "", false
	}
	rest = s[len(word):]
	if rest != "" && rest[0] != ' ' {
		return "", false
	}
	return strings.TrimSpace(rest), true
}

// timeOfDay is a time of day, to be put on a day: a duration since midnight
// would be an hour off on the days the clocks change.
type timeOfDay struct{ h, m, s, ns int }

func clock(s string) (timeOfDay, bool) {
	for _, layout := range clockLayouts {
		if t, err := time.Parse(layout, s); err == nil {
			return timeOfDay{t.Hour(), t.Minute(), t.Second(), t.Nanosecond()}, true
		}
	}
	return timeOfDay{}, false
}

func (c timeOfDay) on(day time.Time) time.Time {
	return time.Date(day.Year(), day.Month(), day.Day(), c.h, c.m, c.s, c.ns, day.Location())
}
