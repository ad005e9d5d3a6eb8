package termtext

import "testing"

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"":                       "",
		"plain text":             "plain text",
		"  edges  ":              "edges",
		"a\r\n\tb  c":            "a b c",
		"\x1b[2Jx":               "\ufffd[2Jx",
		"csi \u009b31m":          "csi \ufffd31m",
		"right\u202eleft":        "right\ufffdleft",
		"zero\u200bwidth":        "zero\ufffdwidth",
		"Zoë 電話":                 "Zoë 電話",
		"bad \xff utf-8":         "bad \ufffd utf-8",
		"line\u2028separator":    "line separator",
		"del\x7f":                "del\ufffd",
		"trailing \n":            "trailing",
		"\u00a0no-break\u00a0x ": "no-break x",
	} {
		if got := Clean(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestFit(t *testing.T) {
	for _, c := range []struct {
		s, ellipsis string
		n           int
		want        string
	}{
		{"short", "…", 5, "short"},
		{"longer", "…", 5, "long…"},
		{"longer", "...", 5, "lo..."},
		{"longer", "...", 2, "lo"},
		{"longer", "…", 1, "l"},
		{"longer", "…", 0, ""},
		{"電話番号", "…", 5, "電話…"},
		{"電話番号", "…", 4, "電…"},
		{"longer", "…", -3, ""},
	} {
		got := Fit(c.s, c.n, c.ellipsis)
		if got != c.want {
			t.Errorf("%q in %d: %q, want %q", c.s, c.n, got, c.want)
		}
		if Width(got) > max(c.n, 0) {
			t.Errorf("%q is %d cells wide, want at most %d", got, Width(got), c.n)
		}
	}
}

func TestPaint(t *testing.T) {
	if got := Paint("x", RedBold); got != "\x1b[1;31mx\x1b[0m" {
		t.Errorf("%q", got)
	}
	if Paint("x", Plain) != "x" || Paint("", Red) != "" {
		t.Error("painted without need")
	}
}
