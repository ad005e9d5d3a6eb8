package filter

import (
	"sort"
	"strings"

	"github.com/heplake/heplake/schema"
)

// Target is what an expression is about: it fixes the fields there are.
type Target struct {
	what   string
	fields map[string]Field // by folded name
	maps   map[string]schema.Column
	text   []string // columns in which a value alone is looked for
	table  *schema.Table
}

// column returns a column of the target's table.
func (t *Target) column(name string) (schema.Column, bool) { return t.table.Column(name) }

// The targets.
var (
	// Messages are single SIP messages: rows of sip.
	Messages = newTarget("a message", &schema.SIP)
	// Reports are single media quality reports: rows of media.
	Reports = newTarget("a media report", &schema.Media)
	// Events are single events: rows of events.
	Events = newTarget("an event", &schema.Events)
	// Registrations are attempts to register: rows of the view registrations.
	Registrations = newTarget("a registration", &schema.Table{Name: schema.Registrations.Name, Columns: schema.Registrations.Columns})
	// Calls are whole calls: their figures and their messages. See CompileCalls.
	Calls = newTarget("a call", &schema.SIP, callFields()...)
)

func newTarget(what string, t *schema.Table, more ...Field) *Target {
	target := &Target{what: what, fields: map[string]Field{}, maps: map[string]schema.Column{}, table: t}
	for _, c := range t.Columns {
		if c.Internal {
			continue
		}
		if c.Kind == schema.Map || c.Kind == schema.Metrics {
			target.maps[strings.TrimSuffix(c.Name, "s")] = c
			continue
		}
		if f, ok := columnField(c); ok {
			target.fields[fold(c.Name)] = f
		}
	}
	for _, f := range append(combined(t), more...) {
		target.fields[fold(f.Name)] = f
	}
	target.text = []string{"call_id", "correlation_id"}
	if _, ok := t.Column("correlation_id"); !ok {
		target.text = []string{"call_id", "user", "contact"}
	}
	if t == &schema.SIP {
		target.text = append(target.text, "from_user", "to_user", "ruri_user")
	}
	return target
}

// Fields lists the fields by name. Kept headers, chunks and metrics (header.NAME,
// hep.NAME, metric.NAME) are not in it: their names are not known beforehand.
func (t *Target) Fields() []Field {
	out := make([]Field, 0, len(t.fields))
	for _, f := range t.fields {
		out = append(out, f)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out
}

// Field returns the named field; aliases and prefixes are understood.
func (t *Target) Field(name string) (Field, bool) { return t.lookup(name) }

func (t *Target) lookup(name string) (Field, bool) {
	lower := strings.ToLower(name)
	for _, p := range prefixes {
		if strings.HasPrefix(lower, p) {
			name = name[len(p):]
			break
		}
	}
	if i := strings.IndexByte(name, '.'); i > 0 && i+1 < len(name) {
		c, ok := t.maps[strings.TrimSuffix(strings.ToLower(name[:i]), "s")]
		if !ok {
			return Field{}, false
		}
		f := Field{Name: name, Doc: c.Doc, Scope: Record, columns: []string{c.Name}, mapKey: name[i+1:]}
		f.header = c.Name == "headers"
		return f, f.setKind(c.Kind)
	}
	key := fold(name)
	if f, ok := t.fields[key]; ok {
		return f, true
	}
	f, ok := t.fields[fold(aliases[key])]
	return f, ok
}

// resolve finds the field of a condition.
func (t *Target) resolve(c *Cond) (Field, *Error) {
	if f, ok := t.lookup(c.Field); ok {
		return f, nil
	}
	e := &Error{Pos: c.At, Got: excerpt(c.Field), Expected: "a field of " + t.what}
	if t.isCallField(c.Field) {
		e.Got += ", which only calls have"
	} else if near := t.nearest(c.Field); near != "" {
		e.Expected += " (" + near + "?)"
	}
	return Field{}, e
}

// isCallField reports whether the target lacks a name that calls have.
func (t *Target) isCallField(name string) bool {
	for _, f := range callFields() {
		if key := fold(name); fold(f.Name) == key || fold(f.Name) == fold(aliases[key]) {
			return t.table == &schema.SIP
		}
	}
	return false
}

// nearest is the field that the name most likely meant, "" when none is near.
func (t *Target) nearest(name string) string {
	best, distance := "", 3
	name = fold(name)
	if len(name) > 32 {
		return ""
	}
	for _, f := range t.Fields() {
		if d := levenshtein(name, fold(f.Name)); d < distance {
			best, distance = f.Name, d
		}
	}
	return best
}

// levenshtein is the edit distance of two short ASCII strings.
func levenshtein(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range a {
		diagonal := row[0]
		row[0] = i + 1
		for j := range b {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			next := min(row[j+1]+1, row[j]+1, diagonal+cost)
			diagonal, row[j+1] = row[j+1], next
		}
	}
	return row[len(b)]
}
