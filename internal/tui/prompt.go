package tui

import (
	"charm.land/bubbles/v2/textinput"
	tea "charm.land/bubbletea/v2"
)

// prompt is a question in the status line.
type prompt struct {
	input textinput.Model
	// done gets the answer; it is not called when the question is left.
	done func(value string) tea.Cmd
}

// ask puts a question, with an answer to begin with.
func (a *app) ask(question, value string, done func(string) tea.Cmd) tea.Cmd {
	in := newInput(question+" ", value)
	a.prompt = &prompt{input: in, done: done}
	return a.prompt.input.Focus()
}

// newInput is a line to type in, with the terminal's own cursor.
func newInput(question, value string) textinput.Model {
	in := textinput.New()
	in.Prompt = question
	in.CharLimit = maxInput
	in.SetVirtualCursor(false)
	in.SetValue(value)
	in.CursorEnd()
	return in
}

// maxInput is the longest text that is taken, in characters.
const maxInput = 8 << 10

func (p *prompt) key(a *app, k tea.KeyPressMsg) tea.Cmd {
	switch k.String() {
	case "esc":
		a.prompt = nil
		return nil
	case "enter":
		a.prompt = nil
		return p.done(p.input.Value())
	}
	return p.other(k)
}

func (p *prompt) other(m tea.Msg) tea.Cmd {
	var cmd tea.Cmd
	p.input, cmd = p.input.Update(m)
	return cmd
}

func (p *prompt) view(w int) string {
	p.input.SetWidth(max(w-len(p.input.Prompt)-1, 1))
	return p.input.View()
}

func (p *prompt) cursor(y int) *tea.Cursor {
	c := p.input.Cursor()
	if c != nil {
		c.Y = y
	}
	return c
}
