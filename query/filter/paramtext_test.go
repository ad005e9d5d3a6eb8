package filter

import "testing"

func TestTexts(t *testing.T) {
	for _, test := range []struct {
		value any
		want  string
	}{
		{"plain", "plain"},
		{"a\\b'c\td\ne\x00", `a\\b'c\td\ne\0`},
		{uint16(7), "7"},
		{int64(-3), "-3"},
		{1.5e-9, "1.5e-09"},
		{[]string{"it's", `\`, "x,y"}, `['it\'s','\\','x,y']`},
		{[]any{uint16(1), "a\n"}, `[1,'a\n']`},
		{[]uint64{}, "[]"},
	} {
		var p Params
		p.Add("X", test.value)
		if got := p.Texts()["p0"]; got != test.want {
			t.Errorf("%#v is written %q, want %q", test.value, got, test.want)
		}
	}
}
