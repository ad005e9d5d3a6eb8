package top

import (
	"fmt"
	"math"
	"time"

	"github.com/dustin/go-humanize"
)

// none stands where there is nothing to show.
const none = "-"

// rateText is a number a second: two digits while it is small.
func rateText(v float64) string {
	switch {
	case math.IsNaN(v):
		return none
	case v == 0:
		return "0"
	case math.Abs(v) < 9.95:
		return fmt.Sprintf("%.1f", v)
	}
	return countText(v)
}

// countText is a whole number with its thousands marked.
func countText(v float64) string {
	if math.IsNaN(v) {
		return none
	}
	return humanize.Comma(int64(math.Round(v)))
}

func bytesText(v float64) string { return humanize.IBytes(uint64(max(0, v))) }

// shareText is a part of one, in percent.
func shareText(v float64) string {
	switch {
	case math.IsNaN(v):
		return none
	case v > 0 && v < 0.01:
		return "<1%"
	}
	return fmt.Sprintf("%.0f%%", 100*v)
}

// secondsText is a latency.
func secondsText(v float64) string {
	switch {
	case math.IsNaN(v):
		return none
	case v < 0.9995:
		return fmt.Sprintf("%.0fms", 1000*v)
	case v < 99.95:
		return fmt.Sprintf("%.1fs", v)
	}
	return ageText(seconds(v))
}

// ageText is how long something lasts or lasted.
func ageText(d time.Duration) string {
	d = max(0, d)
	switch {
	case d < 10*time.Second:
		return fmt.Sprintf("%.1fs", d.Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < 24*time.Hour:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%dd%02dh", int(d.Hours())/24, int(d.Hours())%24)
}

// skewText is how far a clock is off: + is ahead of ours.
func skewText(d time.Duration) string {
	sign := "+"
	if d < 0 {
		sign, d = "-", -d
	}
	switch {
	case d < time.Millisecond:
		return "0"
	case d < time.Second:
		return fmt.Sprintf("%s%dms", sign, d.Milliseconds())
	}
	return sign + ageText(d)
}
