package top

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/heplake/heplake/internal/termtext"
)

// Options say what to show and how.
type Options struct {
	// URL is where the metrics are; http:// and /metrics may be left out.
	URL string
	// Interval is the time between two looks.
	Interval time.Duration
	Screen   Screen
}

// Once writes one frame, its rates over one interval, as plain text.
func Once(ctx context.Context, w io.Writer, o Options) error {
	url := metricsURL(o.URL)
	var h History
	for i := range 2 {
		if i > 0 {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(o.Interval):
			}
		}
		s, err := Read(ctx, url)
		if err != nil {
			return err
		}
		h.Add(s)
	}
	_, err := io.WriteString(w, Render(h.Frame(), url, o.Screen)+"\n")
	return err
}

// Run shows frames in the terminal until ctx ends or the user asks to stop.
func Run(ctx context.Context, in io.Reader, out io.Writer, o Options) error {
	p := tea.NewProgram(newProgram(ctx, o), tea.WithContext(ctx), tea.WithInput(in), tea.WithOutput(out), tea.WithEnvironment(os.Environ()), tea.WithoutSignalHandler())
	_, err := p.Run()
	if ctx.Err() != nil || errors.Is(err, tea.ErrInterrupted) {
		return nil // asked to stop
	}
	return err
}

// program is the state of the live display.
type program struct {
	ctx     context.Context //nolint:containedctx // bubbletea's commands take no arguments
	o       Options
	url     string
	history History
	frame   *Frame
	paused  bool
	sort    order
	skip    int // agents scrolled away
	// fault is why the last look failed, since when none succeeded.
	fault error
	since time.Time
}

func newProgram(ctx context.Context, o Options) *program {
	return &program{ctx: ctx, o: o, url: metricsURL(o.URL)}
}

// looked is what a look at the metrics gave.
type looked struct {
	sample *Sample
	err    error
}

type tick struct{}

func (p *program) look() tea.Msg {
	s, err := Read(p.ctx, p.url)
	return looked{s, err}
}

// Init implements tea.Model.
func (p *program) Init() tea.Cmd { return p.look }

// Update implements tea.Model.
func (p *program) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		p.o.Screen.Width, p.o.Screen.Height = msg.Width, msg.Height
	case tea.KeyPressMsg:
		return p, p.key(msg.String())
	case tick:
		return p, p.look
	case looked:
		if msg.err != nil {
			if p.fault == nil {
				p.since = time.Now()
			}
		} else {
			p.history.Add(msg.sample)
			if !p.paused || p.frame == nil {
				p.frame = p.history.Frame()
			}
		}
		p.fault = msg.err
		return p, tea.Tick(p.o.Interval, func(time.Time) tea.Msg { return tick{} })
	}
	return p, nil
}

func (p *program) key(k string) tea.Cmd {
	switch k {
	case "q", "esc", "ctrl+c":
		return tea.Quit
	case "space", "p":
		p.paused = !p.paused
		if !p.paused && len(p.history.samples) > 0 {
			p.frame = p.history.Frame()
		}
	case "s":
		p.sort, p.skip = (p.sort+1)%orders, 0
	case "down", "j":
		p.skip++
	case "up", "k":
		p.skip--
	case "pgdown":
		p.skip += 10
	case "pgup":
		p.skip -= 10
	case "home":
		p.skip = 0
	}
	p.skip = p.first()
	return nil
}

// first is the first agent shown, within those there are.
func (p *program) first() int {
	if p.frame == nil {
		return 0
	}
	return min(max(p.skip, 0), max(0, len(p.frame.Agents)-1))
}

// View implements tea.Model.
func (p *program) View() tea.View {
	v := tea.NewView(p.text())
	v.AltScreen, v.WindowTitle = true, "heplake top"
	return v
}

// text is the screen: the frame above, a line of status at the bottom.
func (p *program) text() string {
	s := p.o.Screen
	v := &view{Screen: s}
	if s.Width == 0 { // not known yet
		s.Width = 80
	}
	status := v.paint(v.fit("q quit"+v.sep()+"space pause"+v.sep()+"s sort by "+((p.sort+1)%orders).String()+v.sep()+"up/down agents", s.Width), termtext.Dim)
	switch {
	case p.fault != nil:
		status = v.paint(v.fit(fmt.Sprintf("no answer for %s: %s", ageText(time.Since(p.since)), termtext.Clean(p.fault.Error())), s.Width), termtext.RedBold)
	case p.paused:
		status = v.paint(v.fit("paused: space goes on", s.Width), termtext.Reverse)
	}
	if p.frame == nil {
		return "\n" + status
	}
	f := *p.frame
	f.sortAgents(p.sort)
	f.Agents = f.Agents[p.first():]
	s.Height = max(1, s.Height-1)
	lines := strings.Split(Render(&f, p.url, s), "\n")
	lines = lines[:min(len(lines), s.Height)]
	for len(lines) < s.Height {
		lines = append(lines, "")
	}
	return strings.Join(append(lines, status), "\n")
}
