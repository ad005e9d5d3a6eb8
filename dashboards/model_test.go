package dashboards

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// dashboard is what the tests read of a dashboard's JSON.
type dashboard struct {
	file string
	raw  []byte

	ID            *int   `json:"id"`
	UID           string `json:"uid"`
	Title         string `json:"title"`
	Description   string `json:"description"`
	SchemaVersion int    `json:"schemaVersion"`
	Time          struct{ From, To string }
	Templating    struct {
		List []variable
	}
	Panels []panel
	Links  []struct{ Title, URL string }
}

type variable struct {
	Name, Type string
	Query      any
}

type datasource struct{ Type, UID string }

type panel struct {
	ID          int
	Type        string
	Title       string
	Description string
	GridPos     struct{ X, Y, W, H int }
	Datasource  *datasource
	Targets     []map[string]any
	FieldConfig struct {
		Defaults  struct{ Unit string }
		Overrides []struct {
			Matcher    struct{ ID string }
			Properties []struct {
				ID    string
				Value any
			}
		}
	}
	Transformations []struct {
		ID      string
		Options json.RawMessage
	}
	Panels []panel // of a collapsed row
}

// all reads every dashboard of the folder.
func all(t *testing.T) []dashboard {
	t.Helper()
	files, err := filepath.Glob("*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no dashboards: %v", err)
	}
	out := make([]dashboard, len(files))
	for i, file := range files {
		d := dashboard{file: file}
		if d.raw, err = os.ReadFile(file); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(d.raw, &d); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		out[i] = d
	}
	return out
}

// flat lists the panels, those in collapsed rows too, without the rows.
func (d dashboard) flat() (out []panel) {
	for _, p := range d.Panels {
		if p.Type != "row" {
			out = append(out, p)
		}
		out = append(out, p.Panels...)
	}
	return out
}

// texts are all strings of a JSON document.
func texts(v any) (out []string) {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		for _, e := range v {
			out = append(out, texts(e)...)
		}
	case map[string]any:
		for _, e := range v {
			out = append(out, texts(e)...)
		}
	}
	return out
}
