package cli

import "testing"

func TestAbilities(t *testing.T) {
	for _, c := range []struct {
		terminal     bool
		env          map[string]string
		color, ascii bool
	}{
		{true, map[string]string{"TERM": "xterm", "LANG": "en_US.UTF-8"}, true, false},
		{true, map[string]string{"TERM": "xterm", "NO_COLOR": "1"}, false, false},
		{true, map[string]string{"TERM": "dumb"}, false, false},
		{true, map[string]string{"LANG": "de_DE.utf8", "LC_ALL": "C"}, true, true},
		{true, map[string]string{"LANG": "C.UTF-8"}, true, false},
		{false, map[string]string{"TERM": "xterm", "LANG": "C"}, false, false},
		{false, map[string]string{"CLICOLOR_FORCE": "1"}, true, false},
		{false, map[string]string{"CLICOLOR_FORCE": "1", "NO_COLOR": "1"}, false, false},
	} {
		color, ascii := abilities(c.terminal, func(k string) string { return c.env[k] })
		if color != c.color || ascii != c.ascii {
			t.Errorf("%+v: colour %v, ASCII %v", c, color, ascii)
		}
	}
}
