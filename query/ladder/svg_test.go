package ladder_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/heplake/heplake/internal/captures"
	"github.com/heplake/heplake/query"
	"github.com/heplake/heplake/query/ladder"
)

func picture(t testing.TB, f *query.Flow, o ladder.SVGOptions) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := ladder.SVG(&b, f, o); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestSVGGolden(t *testing.T) {
	for _, s := range scenes {
		t.Run(s.name, func(t *testing.T) {
			golden(t, s.name+".svg", picture(t, s.load(t), ladder.SVGOptions{}))
		})
	}
}

// The picture in the README is what the program draws today.
func TestReadmePicture(t *testing.T) {
	for _, s := range scenes {
		if s.name == "b2bua-busy" {
			goldenFile(t, filepath.Join(captures.Root(), "docs", "img", "ladder.svg"), picture(t, s.load(t), ladder.SVGOptions{}))
		}
	}
}

// The findings stand below the reason, with the numbers of the messages that show
// them.
func TestSVGFindings(t *testing.T) {
	for _, s := range scenes {
		if s.name != "no-answer" && s.name != "cancel" && s.name != "busy" {
			continue
		}
		t.Run(s.name, func(t *testing.T) {
			f := s.load(t)
			f.Analyse()
			svg := picture(t, f, ladder.SVGOptions{})
			golden(t, s.name+"-found.svg", svg)
			_, text := elements(t, svg)
			for _, word := range strings.Fields(f.Findings[0].Text) {
				if !strings.Contains(text, word) {
					t.Errorf("the picture lacks %q of %q", word, f.Findings[0].Text)
				}
			}
		})
	}
}

// elements parses a picture and returns how often each element occurs, and all
// its text.
func elements(t *testing.T, svg []byte) (map[string]int, string) {
	t.Helper()
	dec := xml.NewDecoder(bytes.NewReader(svg))
	count, text := map[string]int{}, strings.Builder{}
	for {
		tok, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return count, text.String()
		}
		if err != nil {
			t.Fatalf("not XML: %v", err)
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			count[tok.Name.Local]++
			for _, a := range tok.Attr {
				if strings.HasPrefix(a.Name.Local, "on") || strings.Contains(a.Name.Local, "href") {
					t.Errorf("attribute %s", a.Name.Local)
				}
			}
		case xml.CharData:
			text.Write(tok)
		}
	}
}

// Every picture is well-formed, has a group for each item and nothing that runs
// or fetches.
func TestSVGWellFormed(t *testing.T) {
	for _, s := range scenes {
		f := s.load(t)
		for _, o := range []ladder.SVGOptions{{}, {Theme: ladder.ThemeDark, Time: ladder.TimeAbsolute}, {Theme: ladder.ThemeLight, Time: ladder.TimeOffset}} {
			svg := picture(t, f, o)
			n, _ := elements(t, svg)
			if n["g"] != len(f.Items) {
				t.Errorf("%s: %d rows for %d items", s.name, n["g"], len(f.Items))
			}
			for _, bad := range []string{"script", "foreignObject", "image", "use", "a"} {
				if n[bad] > 0 {
					t.Errorf("%s has <%s>", s.name, bad)
				}
			}
			if themed := bytes.Contains(svg, []byte("prefers-color-scheme")); themed != (o.Theme == ladder.ThemeAuto) {
				t.Errorf("theme %d: follows the reader: %v", o.Theme, themed)
			}
		}
	}
}

// Markup and control characters from the wire stay text.
func TestSVGIsSafe(t *testing.T) {
	const evil = `</text><script>alert(1)</script><![CDATA[ "'&` + "\x00\x1b\u202e"
	f := made(3)
	f.Call.FromUser, f.Call.FinalReason, f.Call.Nodes, f.Truncated = evil, evil, []string{evil}, evil
	f.Call.Outcome = evil
	f.Legs = []query.Leg{{CallID: evil, LinkedBy: evil, LinkValue: evil}, {CallID: evil}}
	for i := range f.Participants {
		f.Participants[i].Name = evil
	}
	for i := range f.Items {
		it := &f.Items[i]
		it.Label, it.SDP, it.ParseError, it.CallID, it.Node, it.Transport, it.CSeqMethod = evil, evil, evil, evil, evil, evil, evil
	}
	f.Items[1].Kind, f.Items[2].Kind, f.Items[3].Dst = query.KindEvent, query.KindMedia, f.Items[3].Src
	n, text := elements(t, picture(t, f, ladder.SVGOptions{}))
	if n["script"] > 0 {
		t.Error("markup from the wire became markup")
	}
	if !strings.Contains(text, "<script>alert(1)</script>") {
		t.Error("the text is lost")
	}
	if strings.ContainsAny(text, "\x1b\u202e") {
		t.Error("control characters in the picture")
	}
}

func TestSVGOddFlows(t *testing.T) {
	elements(t, picture(t, &query.Flow{}, ladder.SVGOptions{}))
	f := made(2)
	f.Items[0].Src, f.Items[0].Dst, f.Items[0].Leg = -1, 99, 7
	f.Legs = append(f.Legs, query.Leg{}, query.Leg{})
	elements(t, picture(t, f, ladder.SVGOptions{}))
}
