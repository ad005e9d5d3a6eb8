package export

import (
	"encoding/json"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/heplake/heplake/internal/version"
	"github.com/heplake/heplake/query"
)

// The names that a JSON export begins with. The version grows when a member
// changes its meaning or goes; new members may come at any time.
const (
	JSONFormat  = "heplake-call"
	JSONVersion = 1
)

// Document is a call as JSON: its figures, and every record decoded and raw.
type Document struct {
	Format    string `json:"format"`  // JSONFormat
	Version   int    `json:"version"` // JSONVersion
	Generator string `json:"generator"`
	// Truncated says what limit cut the call, "" when it is whole.
	Truncated    string              `json:"truncated"`
	Call         query.Call          `json:"call"`
	Legs         []query.Leg         `json:"legs"`
	Participants []query.Participant `json:"participants"`
	Records      []Record            `json:"records"`
}

// Record is one record of a Document: the item of the ladder, and what the
// message says.
type Record struct {
	query.Item
	LegName string `json:"leg_name"` // "A", "B", …; "" when the record names no Call-ID
	// StartLine, Headers and Body are the parts of a SIP message, empty on others.
	// Header values are unfolded; their order is that of the message.
	StartLine string   `json:"start_line"`
	Headers   []Header `json:"headers"`
	Body      string   `json:"body"`
	// RawBase64 is the record byte for byte, where it is not UTF-8 and raw
	// therefore is not exact.
	RawBase64 []byte `json:"raw_base64,omitempty"`
}

// Header is a SIP header as it was written.
type Header struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// NewDocument makes the document of a flow.
func NewDocument(f *query.Flow) Document {
	d := Document{
		Format: JSONFormat, Version: JSONVersion, Generator: "heplake " + version.Version, Truncated: f.Truncated,
		Call: f.Call, Legs: f.Legs, Participants: f.Participants, Records: make([]Record, len(f.Items)),
	}
	for i := range f.Items {
		d.Records[i] = newRecord(f.Items[i])
	}
	return d
}

func newRecord(it query.Item) Record {
	r := Record{Item: it, Headers: []Header{}}
	if it.Leg >= 0 {
		r.LegName = LegName(it.Leg)
	}
	raw := rawOf(&it)
	if !utf8.Valid(raw) {
		r.RawBase64 = raw
	}
	if it.Kind != query.KindSIP {
		return r
	}
	m := parseSIP(it.Raw)
	r.StartLine, r.Body = m.start, m.body
	for i := range m.headers {
		r.Headers = append(r.Headers, Header{Name: m.headers[i].name, Value: m.headers[i].unfolded()})
	}
	return r
}

// JSON writes each flow as a Document on a line of its own. The error is the
// writer's.
func JSON(w io.Writer, flows ...*query.Flow) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	for _, f := range flows {
		if err := enc.Encode(NewDocument(f)); err != nil {
			return fmt.Errorf("write JSON: %w", err)
		}
	}
	return nil
}
