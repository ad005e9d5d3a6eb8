package tui

import (
	"context"
	"errors"
	"io"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/heplake/heplake/internal/cli"
)

// Options say what to show.
type Options struct {
	Client *cli.Client
	// Address is the API's, for the title.
	Address string
	// Display says which characters the terminal has, and the time zone.
	Display cli.Display
	Filter  string // in the filter language
	// Since and Until bound the search, as cli.Since and cli.Until read them; a
	// length such as "1h" moves with the time.
	Since, Until string
	Limit        int
	// Paused starts without asking again and again for new calls.
	Paused bool

	// Refresh is how often the shown is asked for again; zero is two seconds.
	Refresh time.Duration
}

// Run shows the application on the terminal until it is quit or the context
// ends. The error is that of the options or of the terminal; an API that does
// not answer is told on the screen.
func Run(ctx context.Context, in io.Reader, out io.Writer, o Options, more ...tea.ProgramOption) error {
	a, err := newApp(ctx, o)
	if err != nil {
		return err
	}
	defer a.close()
	// Signals end the context, which main watches.
	opts := []tea.ProgramOption{tea.WithContext(ctx), tea.WithInput(in), tea.WithOutput(out), tea.WithoutSignalHandler()}
	_, err = tea.NewProgram(a, append(opts, more...)...).Run()
	if errors.Is(err, tea.ErrProgramKilled) && ctx.Err() != nil {
		return nil
	}
	return err
}
