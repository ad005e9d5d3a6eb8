package cli

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestSinceUntil(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip("no time zone database on this machine")
	}
	now := time.Date(2026, 11, 21, 3, 15, 30, 0, berlin)
	const local = "2006-01-02 15:04:05.999"
	for in, want := range map[string]string{
		"1h": "2026-11-21 02:15:30", "30m": "2026-11-21 02:45:30", "7d": "2026-11-14 03:15:30", "2w": "2026-11-07 03:15:30",
		"1h30m": "2026-11-21 01:45:30", "1.5h": "2026-11-21 01:45:30", "500ms": "2026-11-21 03:15:29.5", "0.5d": "2026-11-20 15:15:30",
		"now": "2026-11-21 03:15:30", "now-1h": "2026-11-21 02:15:30", "NOW - 90s": "2026-11-21 03:14:00", "2d ago": "2026-11-19 03:15:30",
		"today": "2026-11-21 00:00:00", "Yesterday": "2026-11-20 00:00:00", "today 01:30": "2026-11-21 01:30:00", "yesterday 23:59:59": "2026-11-20 23:59:59",
		"02:00": "2026-11-21 02:00:00", "23:50": "2026-11-20 23:50:00", "03:15:30.25": "2026-11-20 03:15:30.25",
		"2026-11-20": "2026-11-20 00:00:00", "20.11.2026": "2026-11-20 00:00:00", "2026/11/20 7:05": "2026-11-20 07:05:00",
		"2 Nov 2026 14:30": "2026-11-02 14:30:00", "2026-11-20 14:30": "2026-11-20 14:30:00", "2026-11-20T14:30:15.5": "2026-11-20 14:30:15.5",
		"2026-11-20T14:30:00Z": "2026-11-20 15:30:00", "2026-11-20T14:30:00+05:30": "2026-11-20 10:00:00", "2026-11-20 14:30:00Z": "2026-11-20 15:30:00",
		"1795228593": "2026-11-21 03:36:33", "1795228593225": "2026-11-21 03:36:33.225", "1795228593225256": "2026-11-21 03:36:33.225",
		// Across the end of summer time (25 October): a day is a day of the calendar.
		"28d": "2026-10-24 03:15:30",
	} {
		got, err := Since(in, now)
		if err != nil {
			t.Error(err)
			continue
		}
		if s := got.In(berlin).Format(local); s != want {
			t.Errorf("%q is %s, want %s", in, s, want)
		}
	}
	for in, want := range map[string]string{
		"today": "2026-11-22 00:00:00", "yesterday": "2026-11-21 00:00:00", "2026-10-25": "2026-10-26 00:00:00",
		"yesterday 14:00": "2026-11-20 14:00:00", "1h": "2026-11-21 02:15:30",
	} {
		got, err := Until(in, now)
		if err != nil {
			t.Error(err)
			continue
		}
		if s := got.Format(local); s != want {
			t.Errorf("until %q is %s, want %s", in, s, want)
		}
	}
	for _, bad := range []string{"soon", "1x", "-", "h", "now-", "now+1h", "2026-13-01", "2026-02-30", "25:00", "20261120", "1h 30", "today 25:00", "today14:00", "99999999999999999999d", "-5m", "yesterday noon"} {
		if got, err := Since(bad, now); err == nil {
			t.Errorf("%q accepted as %v", bad, got)
		}
	}
	if got, err := Since("  ", now); err != nil || !got.IsZero() {
		t.Errorf("nothing is %v, %v", got, err)
	}
}

// Any time that Go can write reads back as itself, and no text panics.
func TestSinceReadsBack(t *testing.T) {
	now := time.Date(2026, 11, 21, 3, 15, 30, 0, time.UTC)
	rapid.Check(t, func(t *rapid.T) {
		want := time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "seconds"), 0).UTC()
		for _, layout := range []string{time.RFC3339, "2006-01-02 15:04:05", "2006-01-02T15:04:05", "02.01.2006 15:04:05", "2 Jan 2006 15:04:05"} {
			got, err := Since(want.Format(layout), now)
			if err != nil || !got.Equal(want) {
				t.Fatalf("%s read as %v, %v", want.Format(layout), got, err)
			}
		}
		_, _ = Until(rapid.String().Draw(t, "any"), now)
	})
}

func TestZone(t *testing.T) {
	at := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	for in, want := range map[string]string{"utc": "12:00", "UTC": "12:00", "+02:00": "14:00", "-0330": "08:30", "Asia/Kolkata": "17:30"} {
		z, err := Zone(in)
		if err != nil {
			t.Error(err)
			continue
		}
		if got := at.In(z).Format("15:04"); got != want {
			t.Errorf("noon in %s is %s, want %s", in, got, want)
		}
	}
	if _, err := Zone("Mars/Olympus"); err == nil {
		t.Error("Mars accepted")
	}
	if z, _ := Zone(""); z != time.Local {
		t.Error("the default is not the local zone")
	}
}
