package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/heplake/heplake/internal/config"
	"github.com/heplake/heplake/internal/retention"
)

func TestTriedSettings(t *testing.T) {
	c := config.Default()
	if tried, err := triedSettings(c, "", nil); tried != nil || err != nil {
		t.Errorf("no dry run: %v, %v", tried, err)
	}
	path := filepath.Join(t.TempDir(), "new.yaml")
	if err := os.WriteFile(path, []byte("retention: {sip: 7, media: 8, rules: [{methods: [OPTIONS], days: 2}]}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tried, err := triedSettings(c, path, []string{"media=9"})
	if err != nil {
		t.Fatal(err)
	}
	p := policy(tried.Retention)
	if p.Days["sip"] != 7 || p.Days["media"] != 9 || p.Days["events"] != 90 || len(p.Rules) != 1 || p.Rules[0].Name != "rule 1" || p.Rules[0].Days != 2 {
		t.Errorf("%+v", p)
	}
	for _, set := range []string{"calls=3", "sip", "sip=-1", "sip=x"} {
		if _, err := triedSettings(c, "", []string{set}); err == nil || !strings.Contains(err.Error(), set) {
			t.Errorf("--set %s: %v", set, err)
		}
	}
}

func TestParseUntil(t *testing.T) {
	for _, c := range []struct {
		text string
		want time.Time
	}{
		{"", time.Time{}},
		{"2027-06-30", time.Date(2027, 7, 1, 0, 0, 0, 0, time.UTC)},
		{"2027-06-30T12:00:00+02:00", time.Date(2027, 6, 30, 10, 0, 0, 0, time.UTC)},
	} {
		if got, err := parseUntil(c.text); err != nil || !got.Equal(c.want) {
			t.Errorf("%q is %s, %v", c.text, got, err)
		}
	}
	if _, err := parseUntil("soon"); err == nil {
		t.Error("soon was taken")
	}
}

func TestWriteHolds(t *testing.T) {
	placed := time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)
	holds := []retention.Hold{
		{ID: "aa", Placed: placed, CallID: "x@y", Reason: "case 7", Who: "ann"},
		{ID: "bb", Placed: placed, Tenant: "acme", Reason: "audit", Who: "ann", Removed: placed.AddDate(0, 0, 1), RemovedBy: "bob"},
	}
	var b bytes.Buffer
	if err := writeHolds(&b, holds, false, "table"); err != nil || !strings.Contains(b.String(), "x@y") || strings.Contains(b.String(), "acme") {
		t.Errorf("%v\n%s", err, b.String())
	}
	b.Reset()
	if err := writeHolds(&b, holds, true, "table"); err != nil || !strings.Contains(b.String(), "removed 2026-11-22 by bob") {
		t.Errorf("%v\n%s", err, b.String())
	}
	if err := writeHolds(&b, holds[1:], false, "table"); err == nil {
		t.Error("no hold in place is not told")
	}
	b.Reset()
	if err := writeHolds(&b, nil, false, "json"); err != nil || strings.TrimSpace(b.String()) != "[]" {
		t.Errorf("%v: %s", err, b.String())
	}
}
