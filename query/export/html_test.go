package export_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/heplake/heplake/query"
	"github.com/heplake/heplake/query/export"
)

// hostile is text that would run as a script, or break out of an attribute, a
// style or a comment, if anything in a page were not escaped.
const hostile = `"><script>alert(1)</script><img src=x onerror=alert(2)>'--></style></svg></title>{{.}}` + "\x1b[31m\u202e"

// hostileFlow is a real call with hostile text wherever the wire decides.
func hostileFlow(t *testing.T) *query.Flow {
	f := carried(t, "udp", func(it *query.Item) {
		it.RawBytes = append(bytes.Clone(it.RawBytes), "\r\nX: "+hostile...)
		it.Raw, it.Label, it.CallID, it.Reason, it.Node, it.SDP, it.ParseError = string(it.RawBytes), it.Label+hostile, hostile, hostile, hostile, hostile, hostile
		it.FromUser, it.ToUser, it.RURIUser = hostile, hostile, hostile
	})
	f.Call.FromUser, f.Call.FromDomain, f.Call.ToUser, f.Call.CorrelationID, f.Call.FinalReason = hostile, hostile, hostile, hostile, hostile
	f.Call.CallIDs, f.Call.Nodes, f.Call.UserAgents, f.Call.Codecs = []string{hostile}, []string{hostile}, []string{hostile}, []string{hostile}
	f.Legs = []query.Leg{{CallID: hostile, LinkedBy: hostile, LinkValue: hostile}}
	f.Participants = append([]query.Participant(nil), f.Participants...)
	for i := range f.Participants {
		f.Participants[i].Name = hostile
		f.Participants[i].Alias = hostile
	}
	f.Truncated = hostile
	return f
}

func TestHTMLEscapesEverything(t *testing.T) {
	var b bytes.Buffer
	if err := export.HTML(&b, hostileFlow(t), export.HTMLOptions{}); err != nil {
		t.Fatal(err)
	}
	doc, err := html.Parse(bytes.NewReader(b.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	elements := map[string]int{}
	for n := range doc.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		elements[n.Data]++
		for _, a := range n.Attr {
			if strings.HasPrefix(strings.ToLower(a.Key), "on") || strings.Contains(strings.ToLower(a.Val), "javascript:") {
				t.Errorf("<%s %s=%q>", n.Data, a.Key, a.Val)
			}
			// Nothing is fetched from anywhere.
			if (a.Key == "href" || a.Key == "src") && !strings.HasPrefix(a.Val, "#m") {
				t.Errorf("<%s> refers to %q", n.Data, a.Val)
			}
		}
	}
	if elements["script"]+elements["img"]+elements["link"]+elements["iframe"] > 0 || elements["svg"] != 1 || elements["style"] != 2 {
		t.Errorf("elements are %v", elements)
	}
	if n := len(carried(t, "udp", nil).Items); elements["article"] != n || elements["a"] < n {
		t.Errorf("%d articles and %d links for %d records", elements["article"], elements["a"], n)
	}
	if bytes.ContainsAny(b.Bytes(), "\x1b\u202e") {
		t.Error("control characters are left")
	}
	if regexp.MustCompile(`url\(|@import|https?://(?:[^w]|w[^w])`).Match(b.Bytes()) {
		t.Error("the page names other resources")
	}
}

func TestTextIsSafe(t *testing.T) {
	var b bytes.Buffer
	f := hostileFlow(t)
	f.Items[0].RawBytes = []byte("INVITE \xff\x00\x07\r\n\r\nb\rc")
	if err := export.Text(&b, f, export.TextOptions{}); err != nil {
		t.Fatal(err)
	}
	if bytes.ContainsAny(b.Bytes(), "\x1b\u202e\x00\x07\r") {
		t.Error("control characters are left")
	}
	if !strings.Contains(b.String(), "INVITE \\xff\\x00\\x07\n\nb\\x0dc\n") {
		t.Errorf("what cannot be shown is not told:\n%s", b.String())
	}
	if n := strings.Count(b.String(), "──── #"); n != len(f.Items) {
		t.Errorf("%d headings for %d records", n, len(f.Items))
	}
}

func TestJSONHasEverything(t *testing.T) {
	flows := realFlows(t, "opensips-hep3-udp-sip-xlog-a")
	broken := *flows[0]
	broken.Items = append([]query.Item(nil), broken.Items...)
	broken.Items[0].RawBytes = append(bytes.Clone(broken.Items[0].RawBytes), 0xff)
	var b bytes.Buffer
	if err := export.JSON(&b, append([]*query.Flow{&broken}, flows[1:]...)...); err != nil {
		t.Fatal(err)
	}
	dec := json.NewDecoder(&b)
	for i, f := range flows {
		var d export.Document
		if err := dec.Decode(&d); err != nil {
			t.Fatal(err)
		}
		if d.Format != export.JSONFormat || d.Version != export.JSONVersion || len(d.Records) != len(f.Items) || d.Call.CorrelationID != f.Call.CorrelationID {
			t.Errorf("document %d: %s %d, %d records", i, d.Format, d.Version, len(d.Records))
		}
		for j, r := range d.Records {
			if exact := len(r.RawBase64) > 0; exact != (i == 0 && j == 0) || exact && !bytes.Equal(r.RawBase64, broken.Items[0].RawBytes) {
				t.Errorf("record %d of %d has %d bytes beside its text", j, i, len(r.RawBase64))
			}
			if r.Kind != query.KindSIP {
				continue
			}
			callID := ""
			for _, h := range r.Headers {
				if strings.EqualFold(h.Name, "Call-ID") {
					callID = h.Value
				}
			}
			if callID != r.CallID || !strings.HasPrefix(r.Raw, r.StartLine+"\r\n") || !strings.HasSuffix(r.Raw, r.Body) {
				t.Errorf("record %d: Call-ID %q, start line %q", j, callID, r.StartLine)
			}
		}
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		t.Error("there is more")
	}
}

// A writer that fails is told of, by every format.
func TestWritersErrors(t *testing.T) {
	f := realFlows(t, "kamailio-hep3-udp-sip-calls-a")[0]
	for name, write := range map[string]func(io.Writer) error{
		"pcap":   func(w io.Writer) error { return export.PCAP(w, f) },
		"pcapng": func(w io.Writer) error { return export.PCAPNG(w, f) },
		"text":   func(w io.Writer) error { return export.Text(w, f, export.TextOptions{}) },
		"json":   func(w io.Writer) error { return export.JSON(w, f) },
		"html":   func(w io.Writer) error { return export.HTML(w, f, export.HTMLOptions{}) },
		"sipp":   func(w io.Writer) error { return export.SIPp(w, f, export.SIPpOptions{}) },
	} {
		if err := write(full{}); !errors.Is(err, io.ErrShortWrite) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, io.ErrShortWrite }
