package dashboards

import (
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const (
	datasourceType = "heplake-datasource"
	datasourceVar  = "${ds}"
	// gridWidth is how many columns Grafana's grid has.
	gridWidth = 24
)

// panelTypes are the panels that come with Grafana and those of ours.
var panelTypes = []string{"stat", "timeseries", "table", "piechart", "bargauge", "barchart", "gauge", "histogram", "heatmap", "state-timeline", "status-history", "logs", "text", "row", "heplake-ladder-panel"}

func TestDashboardsAreSound(t *testing.T) {
	uids := map[string]string{}
	for _, d := range all(t) {
		t.Run(d.file, func(t *testing.T) {
			if other, ok := uids[d.UID]; ok {
				t.Errorf("uid %s is %s's too", d.UID, other)
			}
			uids[d.UID] = d.file
			switch {
			case d.ID != nil:
				t.Errorf("id is %d: Grafana gives it, so null", *d.ID)
			case d.UID == "" || d.UID+".json" != d.file:
				t.Errorf("uid %q is not the file's name", d.UID)
			case d.Title == "" || d.Description == "":
				t.Error("no title, or no description")
			case d.SchemaVersion < 41 || d.SchemaVersion > 42:
				t.Errorf("schemaVersion %d is neither 41 nor 42", d.SchemaVersion)
			case d.Time.From == "" || d.Time.To == "":
				t.Error("no time range")
			}
			checkVariables(t, d)
			checkGrid(t, d.Panels)
			ids := map[int]bool{}
			for _, p := range d.flat() {
				if p.ID == 0 || ids[p.ID] {
					t.Errorf("panel %q has the id %d, which is 0 or another's", p.Title, p.ID)
				}
				ids[p.ID] = true
				checkPanel(t, p)
			}
			for _, l := range d.Links {
				checkLink(t, l.Title, l.URL)
			}
		})
	}
}

// checkVariables: there is one for the data source, and every variable that is
// used is declared.
func checkVariables(t *testing.T, d dashboard) {
	t.Helper()
	declared := map[string]bool{}
	for _, v := range d.Templating.List {
		if declared[v.Name] {
			t.Errorf("variable %s is declared twice", v.Name)
		}
		declared[v.Name] = true
		if v.Name == "ds" && (v.Type != "datasource" || v.Query != datasourceType) {
			t.Errorf("variable ds is of type %s for %v", v.Type, v.Query)
		}
	}
	if !declared["ds"] {
		t.Error("no variable ds for the data source")
	}
	var document any
	if err := json.Unmarshal(d.raw, &document); err != nil {
		t.Fatal(err)
	}
	for _, text := range texts(document) {
		for _, m := range variables.FindAllStringSubmatch(text, -1) {
			if name := m[1] + m[2]; !strings.HasPrefix(name, "__") && !declared[name] {
				t.Errorf("%q uses the variable %s, which is not declared", text, name)
			}
		}
	}
}

// variables matches $name and ${name:format}. A regular expression's $ stands
// before no letter.
var variables = regexp.MustCompile(`\$(?:\{([\w]+)[^}]*\}|([A-Za-z_]\w*))`)

// checkGrid: panels lie within the grid and not on one another.
func checkGrid(t *testing.T, panels []panel) {
	t.Helper()
	for i, p := range panels {
		g := p.GridPos
		if g.W < 1 || g.H < 1 || g.X < 0 || g.Y < 0 || g.X+g.W > gridWidth {
			t.Errorf("panel %q lies outside of the grid: %+v", p.Title, g)
		}
		for _, q := range panels[:i] {
			h := q.GridPos
			if g.X < h.X+h.W && h.X < g.X+g.W && g.Y < h.Y+h.H && h.Y < g.Y+g.H {
				t.Errorf("panel %q lies on %q", p.Title, q.Title)
			}
		}
	}
}

func checkPanel(t *testing.T, p panel) {
	t.Helper()
	if !slices.Contains(panelTypes, p.Type) {
		t.Errorf("panel %q is a %s, which not every Grafana has", p.Title, p.Type)
	}
	if p.Title == "" || p.Description == "" {
		t.Errorf("panel %d has no title, or no description", p.ID)
	}
	if p.Type == "text" {
		return
	}
	if slices.Contains([]string{"stat", "timeseries", "bargauge", "gauge"}, p.Type) && p.FieldConfig.Defaults.Unit == "" {
		t.Errorf("panel %q has no unit", p.Title)
	}
	if len(p.Targets) == 0 {
		t.Errorf("panel %q asks nothing", p.Title)
	}
	refs := map[any]bool{}
	for _, target := range p.Targets {
		if ref := target["refId"]; ref == "" || refs[ref] {
			t.Errorf("panel %q has a query without a name of its own: %v", p.Title, ref)
		}
		refs[target["refId"]] = true
		ds, _ := target["datasource"].(map[string]any)
		if ds["type"] != datasourceType || ds["uid"] != datasourceVar {
			t.Errorf("panel %q asks the data source %v, not the one chosen", p.Title, ds)
		}
	}
	if p.Datasource == nil || *p.Datasource != (datasource{datasourceType, datasourceVar}) {
		t.Errorf("panel %q has the data source %+v, not the one chosen", p.Title, p.Datasource)
	}
	for _, o := range p.FieldConfig.Overrides {
		for _, property := range o.Properties {
			if property.ID != "links" {
				continue
			}
			links, _ := property.Value.([]any)
			for _, l := range links {
				link, _ := l.(map[string]any)
				title, _ := link["title"].(string)
				address, _ := link["url"].(string)
				checkLink(t, title, address)
			}
		}
	}
}

// checkLink: links stay within Grafana, and parse once variables are filled in.
func checkLink(t *testing.T, title, address string) {
	t.Helper()
	u, err := url.Parse(variables.ReplaceAllString(address, "x"))
	switch {
	case title == "":
		t.Errorf("the link %s has no title", address)
	case err != nil:
		t.Errorf("link %q: %v", title, err)
	case u.Host != "" || !strings.HasPrefix(u.Path, "/a/heplake-app/") && !strings.HasPrefix(u.Path, "/d/heplake-"):
		t.Errorf("link %q leads out of heplake: %s", title, address)
	case strings.Contains(u.Path, "/call/") && !strings.Contains(address, ":percentencode}"):
		t.Errorf("link %q does not encode the Call-ID: %s", title, address)
	}
}
