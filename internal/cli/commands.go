package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/heplake/heplake/query/ladder"
)

// SearchOptions are the flags of heplake search.
type SearchOptions struct {
	Client       *Client
	Filter       string
	Since, Until string // as Since and Until read them
	Limit        int
	Format       string    // table, json or csv; "" is table
	Now          time.Time // what "1h" counts from; zero is the present
	// Live goes on: calls as they appear and change, the newest at the bottom.
	Live     bool
	Interval time.Duration // of asking the API when Live; zero is a second
}

// Search writes the calls that match. Without a match it writes what the format
// says for nothing (an empty document, a header line; no table) and returns
// ErrNotFound.
func Search(ctx context.Context, d Display, o SearchOptions) error {
	format, err := oneOf("-o", o.Format, "table", "json", "csv")
	if err != nil {
		return err
	}
	now := o.Now
	if now.IsZero() {
		now = time.Now()
	}
	now = now.In(d.zone())
	r := CallsRequest{Filter: o.Filter, Zone: d.zone(), Limit: o.Limit}
	if r.From, err = Since(o.Since, now); err != nil {
		return err
	}
	if r.To, err = Until(o.Until, now); err != nil {
		return err
	}
	if !r.From.IsZero() && !r.To.IsZero() && !r.From.Before(r.To) {
		return fmt.Errorf("--until (%s) is not after --since (%s)", r.To.In(d.zone()).Format(time.DateTime), r.From.In(d.zone()).Format(time.DateTime))
	}
	if o.Live {
		switch {
		case format == "csv":
			return errors.New("--live writes -o table or json")
		case !r.To.IsZero():
			return errors.New("--live has no end: leave out --until")
		}
		return live(ctx, d, o, format, r.From)
	}
	answer, raw, err := o.Client.Calls(ctx, r)
	if err != nil {
		return err
	}
	switch {
	case format == "json":
		err = writeJSON(d, raw)
	case format == "csv":
		err = CSV(d.Out, answer.Calls)
	case len(answer.Calls) > 0:
		err = Table(d.Out, answer.Calls, d)
	}
	if err != nil {
		return err
	}
	if len(answer.Calls) == 0 {
		return notFound("no call matches")
	}
	if answer.Truncated && d.Err != nil {
		// What cannot be told does not make the answer wrong.
		_, _ = fmt.Fprintf(d.Err, "only the newest %d are shown; more match: narrow the search or raise --limit\n", len(answer.Calls))
	}
	return nil
}

// FlowOptions are the flags of heplake flow.
type FlowOptions struct {
	Client *Client
	CallID string
	Format string // text, json or svg; "" is text
	Raw    bool   // text: every message below its row
	Time   string // delta, absolute or offset; "" is delta
	Theme  string // svg: auto, light or dark; "" is auto
	// Follow goes on: messages as they come, until the call is over.
	Follow   bool
	Interval time.Duration // of asking the API when Follow; zero is a second
	Settle   time.Duration // how long the end of a call is waited after; zero is 5 s
}

// Flow writes the ladder of a call, all its legs.
func Flow(ctx context.Context, d Display, o FlowOptions) error {
	format, err := oneOf("-o", o.Format, "text", "json", "svg")
	if err != nil {
		return err
	}
	mode, err := oneOf("--time", o.Time, "delta", "absolute", "offset")
	if err != nil {
		return err
	}
	theme, err := oneOf("--theme", o.Theme, "auto", "light", "dark")
	if err != nil {
		return err
	}
	times := map[string]ladder.TimeMode{"delta": ladder.TimeDelta, "absolute": ladder.TimeAbsolute, "offset": ladder.TimeOffset}[mode]
	text := ladder.TextOptions{Width: d.Width, Color: d.Color, ASCII: d.ASCII, Raw: o.Raw, Time: times, Zone: d.zone()}
	if o.Follow {
		if format == "svg" {
			return errors.New("--follow writes -o text or json")
		}
		text.Even = true
		return follow(ctx, o, &follower{d: d, o: o, text: text, json: format == "json"})
	}
	f, raw, err := o.Client.Flow(ctx, o.CallID)
	if err != nil {
		return err
	}
	switch format {
	case "json":
		return writeJSON(d, raw)
	case "svg":
		themes := map[string]ladder.Theme{"auto": ladder.ThemeAuto, "light": ladder.ThemeLight, "dark": ladder.ThemeDark}
		return ladder.SVG(d.Out, f, ladder.SVGOptions{Theme: themes[theme], Time: times, Zone: d.zone()})
	}
	return ladder.Text(d.Out, f, text)
}

// QualityOptions are the flags of heplake quality.
type QualityOptions struct {
	Client *Client
	CallID string
	Format string // text or json; "" is text
}

// Quality writes the media quality of a call.
func Quality(ctx context.Context, d Display, o QualityOptions) error {
	format, err := oneOf("-o", o.Format, "text", "json")
	if err != nil {
		return err
	}
	q, raw, err := o.Client.Quality(ctx, o.CallID)
	if err != nil {
		return err
	}
	if format == "json" {
		return writeJSON(d, raw)
	}
	if q.Reports == 0 {
		return notFound(fmt.Sprintf("no report of media quality for Call-ID %q", o.CallID))
	}
	return QualityText(d.Out, q, d)
}

// oneOf checks the value of a flag; the first of the values is the default.
func oneOf(flag, value string, values ...string) (string, error) {
	if value == "" {
		return values[0], nil
	}
	for _, v := range values {
		if v == value {
			return v, nil
		}
	}
	return "", fmt.Errorf("%s %q: want %s", flag, value, strings.Join(values, ", "))
}

// writeJSON writes the API's answer, indented.
func writeJSON(d Display, raw []byte) error {
	var b bytes.Buffer
	if err := json.Indent(&b, raw, "", "  "); err != nil {
		return fmt.Errorf("the API's answer: %w", err)
	}
	b.Truncate(len(bytes.TrimRight(b.Bytes(), "\n")))
	b.WriteByte('\n')
	_, err := d.Out.Write(b.Bytes())
	return err
}
