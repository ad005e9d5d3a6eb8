package export

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/heplake/heplake/internal/termtext"
	"github.com/heplake/heplake/query"
	"github.com/heplake/heplake/query/ladder"
)

// TextOptions say how Text writes. The zero value gives times in UTC.
type TextOptions struct {
	Zone *time.Location // nil is UTC
}

// Text writes a transcript for people: the ladder, and below it every record
// whole, each under a line with its number, time, time since the first, hop,
// transport, leg and node. Characters that would do something to a terminal are
// replaced. The error is the writer's.
func Text(w io.Writer, f *query.Flow, o TextOptions) error {
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	b := bufio.NewWriter(w)
	if err := ladder.Text(b, f, ladder.TextOptions{Zone: o.Zone}); err != nil {
		return fmt.Errorf("write text: %w", err)
	}
	for i := range f.Items {
		it := &f.Items[i]
		_, _ = fmt.Fprintf(b, "\n%s\n", heading(f, it, o.Zone))
		body := printable(rawOf(it))
		_, _ = b.WriteString(body)
		if !strings.HasSuffix(body, "\n") {
			_ = b.WriteByte('\n')
		}
	}
	if err := b.Flush(); err != nil { // a bufio.Writer keeps its first error
		return fmt.Errorf("write text: %w", err)
	}
	return nil
}

// heading is the line above a record.
func heading(f *query.Flow, it *query.Item, zone *time.Location) string {
	src, dst := ends(f, it)
	parts := []string{
		fmt.Sprintf("──── #%d", it.Index+1), it.Time.In(zone).Format("2006-01-02 15:04:05.000000 MST"), fmt.Sprintf("%+.6f", float64(it.OffsetUs)/1e6),
		src.String() + " → " + dst.String(), strings.ToUpper(it.Transport),
	}
	if it.Leg >= 0 {
		parts = append(parts, "leg "+LegName(it.Leg))
	}
	parts = append(parts, "node "+nodeName(it))
	switch {
	case it.Copy:
		parts = append(parts, "copy")
	case it.Retransmission:
		parts = append(parts, "retransmission")
	}
	if it.ParseError != "" {
		parts = append(parts, "faults: "+it.ParseError)
	}
	return termtext.Clean(strings.Join(parts, "  "))
}

// printable is a record as lines of text, safe for a terminal.
func printable(raw []byte) string {
	var b strings.Builder
	for len(raw) > 0 {
		r, n := utf8.DecodeRune(raw)
		switch {
		case r == '\r' && len(raw) > 1 && raw[1] == '\n':
		case r == '\n', r == '\t':
			b.WriteRune(r)
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, raw[0])
		case unicode.IsControl(r):
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			b.WriteRune(termtext.Printable(r))
		}
		raw = raw[n:]
	}
	return b.String()
}
