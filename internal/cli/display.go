package cli

import (
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/heplake/heplake/internal/termtext"
)

// Display is where a command's answer goes and what that place can show.
type Display struct {
	Out io.Writer // the answer
	Err io.Writer // remarks about it, such as that there is more
	// Width of the terminal in cells; 0 when Out is no terminal: rows are then
	// as long as they need to be.
	Width int
	Color bool // ANSI colours
	ASCII bool // no character outside ASCII
	Zone  *time.Location
}

// NewDisplay finds out what the standard output can show. Colour needs a
// terminal that is not "dumb" and no NO_COLOR (no-color.org); CLICOLOR_FORCE
// asks for it anyway. Characters outside ASCII need a locale that is not C or
// an explicit other character set.
func NewDisplay(out, errs *os.File, getenv func(string) string, zone *time.Location) Display {
	d := Display{Out: out, Err: errs, Zone: zone}
	terminal := term.IsTerminal(int(out.Fd()))
	if terminal {
		d.Width = 80
		if w, _, err := term.GetSize(int(out.Fd())); err == nil && w > 0 {
			d.Width = w
		}
	}
	d.Color, d.ASCII = abilities(terminal, getenv)
	return d
}

func abilities(terminal bool, getenv func(string) string) (color, ascii bool) {
	force := getenv("CLICOLOR_FORCE")
	color = terminal && getenv("TERM") != "dumb" || force != "" && force != "0"
	if getenv("NO_COLOR") != "" {
		color = false
	}
	// The first of these that is set decides (POSIX, section 8.2).
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if locale := getenv(name); locale != "" {
			upper := strings.ToUpper(locale)
			utf8 := strings.Contains(upper, "UTF-8") || strings.Contains(upper, "UTF8")
			return color, terminal && !utf8
		}
	}
	// Containers and services set none, and show UTF-8 all the same.
	return color, false
}

func (d Display) zone() *time.Location {
	if d.Zone == nil {
		return time.UTC
	}
	return d.Zone
}

// text is s, safe and in characters that the terminal can show.
func (d Display) text(s string) string {
	s = termtext.Clean(s)
	if d.ASCII {
		s = termtext.ASCII(s)
	}
	return s
}

// sep stands between values, arrow between the ends of a stream.
func (d Display) sep() string {
	if d.ASCII {
		return ", "
	}
	return " · "
}

func (d Display) arrow() string {
	if d.ASCII {
		return " -> "
	}
	return " → "
}

func (d Display) fit(s string, n int) string {
	if d.ASCII {
		return termtext.Fit(s, n, "...")
	}
	return termtext.Fit(s, n, "…")
}

func (d Display) paint(s string, st termtext.Style) string {
	if !d.Color {
		return s
	}
	return termtext.Paint(s, st)
}
