package tui

import (
	"strconv"

	"github.com/charmbracelet/x/ansi"
)

// plain is a line without its colours.
func plain(s string) string { return ansi.Strip(s) }

func itoa(n int) string { return strconv.Itoa(n) }
