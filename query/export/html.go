package export

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strings"
	"time"

	"github.com/heplake/heplake/internal/version"
	"github.com/heplake/heplake/query"
	"github.com/heplake/heplake/query/ladder"
)

//go:embed page.html.tmpl
var pageSource string

var page = template.Must(template.New("page").Parse(pageSource))

// HTMLOptions say how HTML writes. The zero value gives times in UTC.
type HTMLOptions struct {
	Zone *time.Location // nil is UTC
}

// pageMessage is one record of the page.
type pageMessage struct {
	Anchor, Previous, Next string
	Number                 int
	Label, Time, Offset    string
	Hop, About             string
	Faults                 string
	Head, Body             string
	Leg                    string
}

// maxMarks is how many rows a page may have for the one that is read to be marked,
// which costs a style rule for each.
const maxMarks = 300

// HTML writes the call as one page: the ladder, in which every row leads to the
// record behind it, whole. It needs nothing else: no script, no font, no other
// file. Colours follow the reader's preference for light or dark; on paper the
// ladder is followed by all records. The error is the writer's.
func HTML(w io.Writer, f *query.Flow, o HTMLOptions) error {
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	var picture bytes.Buffer
	if err := ladder.SVG(&picture, f, ladder.SVGOptions{Zone: o.Zone, Link: func(i int) string { return "#" + anchor(i) }}); err != nil {
		return fmt.Errorf("write page: %w", err)
	}
	data := struct {
		Title, CallID, Generator, Truncated string
		Ladder                              template.HTML
		Marks                               bool // the row that is read is marked
		Messages                            []pageMessage
	}{
		Title: title(f), CallID: oneLine(f.Call.CorrelationID), Generator: "heplake " + version.Version, Truncated: oneLine(f.Truncated),
		Ladder: template.HTML(picture.String()), //nolint:gosec // ladder.SVG escapes what it draws
		Marks:  len(f.Items) <= maxMarks,
	}
	for i := range f.Items {
		data.Messages = append(data.Messages, newPageMessage(f, i, o.Zone))
	}
	var b bytes.Buffer // whole or not at all
	if err := page.Execute(&b, data); err != nil {
		return fmt.Errorf("write page: %w", err)
	}
	if _, err := w.Write(b.Bytes()); err != nil {
		return fmt.Errorf("write page: %w", err)
	}
	return nil
}

func anchor(i int) string { return fmt.Sprintf("m%d", i+1) }

// title is what the page is about: who called whom, and when.
func title(f *query.Flow) string {
	party := func(user, domain string) string { return strings.Trim(oneLine(user)+"@"+oneLine(domain), "@") }
	c := &f.Call
	return fmt.Sprintf("%s → %s, %s", party(c.FromUser, c.FromDomain), party(c.ToUser, c.ToDomain), c.Start.UTC().Format("2006-01-02 15:04:05 MST"))
}

func newPageMessage(f *query.Flow, i int, zone *time.Location) pageMessage {
	it := &f.Items[i]
	src, dst := ends(f, it)
	m := pageMessage{
		Anchor: anchor(i), Number: i + 1, Label: oneLine(it.Label), Time: it.Time.In(zone).Format("2006-01-02 15:04:05.000000 MST"),
		Offset: fmt.Sprintf("%+.6f s", float64(it.OffsetUs)/1e6), Hop: fmt.Sprintf("%s → %s", src, dst), Faults: oneLine(it.ParseError),
	}
	if i > 0 {
		m.Previous = anchor(i - 1)
	}
	if i+1 < len(f.Items) {
		m.Next = anchor(i + 1)
	}
	about := []string{strings.ToUpper(it.Transport)}
	if it.Leg >= 0 {
		m.Leg = LegName(it.Leg)
		about = append(about, "leg "+m.Leg)
	}
	about = append(about, "node "+oneLine(nodeName(it)))
	switch {
	case it.Copy:
		about = append(about, "copy")
	case it.Retransmission:
		about = append(about, "retransmission")
	}
	m.About = strings.Join(about, " · ")
	m.Head, m.Body, _ = strings.Cut(printable(rawOf(it)), "\n\n")
	return m
}
