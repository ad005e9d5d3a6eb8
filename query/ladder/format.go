package ladder

import (
	"fmt"
	"strconv"
	"time"
)

// Duration writes a duration the way a ladder does: three significant places
// and the unit that suits, "0.98 ms", "106 ms", "4.50 s", "2m03s", "1h02m".
func Duration(d time.Duration) string {
	if d < 0 {
		return "-" + Duration(-d)
	}
	ms := float64(d.Microseconds()) / 1000
	switch {
	case ms < 9.995:
		return strconv.FormatFloat(ms, 'f', 2, 64) + " ms"
	case ms < 99.95:
		return strconv.FormatFloat(ms, 'f', 1, 64) + " ms"
	case ms < 999.5:
		return strconv.FormatFloat(ms, 'f', 0, 64) + " ms"
	case ms < 9_995:
		return strconv.FormatFloat(ms/1000, 'f', 2, 64) + " s"
	case ms < 59_950:
		return strconv.FormatFloat(ms/1000, 'f', 1, 64) + " s"
	}
	d = d.Round(time.Second)
	if d < time.Hour {
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	}
	d = d.Round(time.Minute)
	if d < 100*time.Hour {
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%dd%02dh", int(d.Hours())/24, int(d.Hours())%24)
}

func signed(d time.Duration) string {
	if d < 0 {
		return Duration(d)
	}
	return "+" + Duration(d)
}

func millis(ms float64) time.Duration { return time.Duration(ms * float64(time.Millisecond)) }

// plural is "1 message", "2 messages".
func plural[N int | uint64](n N, one string) string {
	s := fmt.Sprintf("%d %s", n, one)
	if n != 1 {
		s += "s"
	}
	return s
}

func float(v float64, places int) string { return strconv.FormatFloat(v, 'f', places, 64) }
