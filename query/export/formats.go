package export

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/heplake/heplake/query"
	"github.com/heplake/heplake/query/ladder"
)

// Format is one of the formats that a call can be exported in.
type Format struct {
	// Name is what users call it: "pcap".
	Name string
	// Extension is that of its files, with the dot.
	Extension string
	// MediaType is what HTTP calls it.
	MediaType string
	// Text tells formats that can be read as they are from files for programs.
	Text bool
	// Bulk tells that several calls fit into one file.
	Bulk bool
}

// Formats lists all formats.
func Formats() []Format {
	return []Format{
		{"pcap", ".pcap", "application/vnd.tcpdump.pcap", false, true},
		{"pcapng", ".pcapng", "application/x-pcapng", false, true},
		{"text", ".txt", "text/plain; charset=utf-8", true, true},
		{"json", ".json", "application/json", true, true},
		{"sipp", ".sipp.tar", "application/x-tar", false, false},
		{"svg", ".svg", "image/svg+xml", true, false},
		{"html", ".html", "text/html; charset=utf-8", true, false},
	}
}

// FormatOf finds a format by its name.
func FormatOf(name string) (Format, bool) {
	for _, f := range Formats() {
		if f.Name == name {
			return f, true
		}
	}
	return Format{}, false
}

// FormatNames lists the formats' names, those of several calls in a file alone if
// bulk.
func FormatNames(bulk bool) []string {
	var names []string
	for _, f := range Formats() {
		if f.Bulk || !bulk {
			names = append(names, f.Name)
		}
	}
	return names
}

// Options are those of all formats.
type Options struct {
	Zone *time.Location // text, svg and html; nil is UTC
	SIPp SIPpOptions
}

// Write writes one call in the format, or several in one that has Bulk. The error
// is that of the format's own function.
func (f Format) Write(w io.Writer, o Options, flows ...*query.Flow) error {
	if len(flows) != 1 && !f.Bulk {
		return fmt.Errorf("%s holds one call, not %d", f.Name, len(flows))
	}
	switch f.Name {
	case "pcap":
		return PCAP(w, flows...)
	case "pcapng":
		return PCAPNG(w, flows...)
	case "json":
		return JSON(w, flows...)
	case "sipp":
		return SIPp(w, flows[0], o.SIPp)
	case "svg":
		return ladder.SVG(w, flows[0], ladder.SVGOptions{Zone: o.Zone})
	case "html":
		return HTML(w, flows[0], HTMLOptions{Zone: o.Zone})
	}
	for i, flow := range flows {
		if i > 0 {
			if _, err := io.WriteString(w, "\n\n"); err != nil {
				return fmt.Errorf("write text: %w", err)
			}
		}
		if err := Text(w, flow, TextOptions{Zone: o.Zone}); err != nil {
			return err
		}
	}
	return nil
}

// maxName bounds what a file name says of a call, in bytes.
const maxName = 64

// FileName is a safe name for the file of a call: its Call-ID as far as every file
// system takes it, and the format's extension.
func (f Format) FileName(callID string) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case '0' <= r && r <= '9', 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', r == '-', r == '_', r == '.', r == '@':
			return r
		}
		return '_'
	}, callID)
	name = strings.Trim(name[:min(len(name), maxName)], ".-_")
	if name == "" {
		name = "call"
	}
	return name + f.Extension
}

// FindLeg finds a leg by its letter or its Call-ID; "" is the first one.
func FindLeg(f *query.Flow, name string) (leg int, ok bool) {
	for i := range f.Legs {
		if name == "" || name == f.Legs[i].CallID || strings.EqualFold(name, LegName(i)) {
			return i, true
		}
	}
	return 0, false
}
