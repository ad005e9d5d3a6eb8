package dashboards

import (
	"encoding/json"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/data"

	"github.com/heplake/heplake/grafana-plugin/pkg/harness"
	"github.com/heplake/heplake/internal/laketest"
)

func TestMain(m *testing.M) { harness.Main(m) }

// values of the dashboards' variables in the tests. A variable that is not
// here is empty.
var values = map[string]string{"callid": "3-16637@127.0.0.1", "ds": "lake"}

// TestEveryQuery runs every query of every panel through the plugin's binary,
// on real traffic, and looks at the answer as the panel will.
func TestEveryQuery(t *testing.T) {
	l := laketest.Open(t, "kamailio-hep3-udp-sip-calls-a", "kamailio-hep3-udp-sip-failures-a",
		"sngrep-hep3-udp-b2bua-two-callids-xcid-a", "heplify-hep3-udp-sip-rtcp-a", "hepjs-hep3-udp-sip-rtcp-qos-log-a")
	u, err := url.Parse(l.URL)
	if err != nil {
		t.Fatal(err)
	}
	password, _ := u.User.Password()
	source := harness.Source{
		Settings: map[string]any{"url": u.Scheme + "://" + u.Host, "database": l.Name, "user": u.User.Username()},
		Secrets:  map[string]string{"password": password},
		User:     &backend.User{Login: "noc", Role: "Viewer"},
	}
	plugin := harness.Start(t)
	for _, d := range all(t) {
		for _, p := range d.flat() {
			t.Run(d.UID+"/"+p.Title, func(t *testing.T) {
				for _, target := range p.Targets {
					model, _ := fill(target).(map[string]any)
					response := plugin.Ask(source, harness.Query{Model: model, From: l.From, To: l.To, Interval: 5 * time.Second, RefID: "A"})
					if response.Error != nil {
						t.Fatalf("query %v: status %d: %v", target["refId"], response.Status, response.Error)
					}
					checkAnswer(t, p, response.Frames)
				}
			})
		}
	}
}

// fill fills in the variables in all strings of a query, as Grafana's frontend
// does for single values.
func fill(v any) any {
	switch v := v.(type) {
	case string:
		return variables.ReplaceAllStringFunc(v, func(s string) string {
			m := variables.FindStringSubmatch(s)
			if name := m[1] + m[2]; len(name) < 2 || name[:2] != "__" {
				return values[name]
			}
			return s // the backend's own
		})
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = fill(e)
		}
		return out
	case map[string]any:
		out := map[string]any{}
		for k, e := range v {
			out[k] = fill(e)
		}
		return out
	}
	return v
}

// wanted are the frame types that each panel can draw.
var wanted = map[string][]data.FrameType{
	"timeseries": {data.FrameTypeTimeSeriesMulti, data.FrameTypeTimeSeriesWide},
	"stat":       {data.FrameTypeTimeSeriesMulti, data.FrameTypeTimeSeriesWide, data.FrameTypeNumericLong, data.FrameTypeTable},
	"gauge":      {data.FrameTypeTimeSeriesMulti, data.FrameTypeTimeSeriesWide, data.FrameTypeNumericLong, data.FrameTypeTable},
	"bargauge":   {data.FrameTypeNumericLong, data.FrameTypeTimeSeriesMulti},
	"barchart":   {data.FrameTypeNumericLong, data.FrameTypeTable},
	"piechart":   {data.FrameTypeNumericLong, data.FrameTypeTable, data.FrameTypeTimeSeriesMulti},
	"table":      {data.FrameTypeTable, data.FrameTypeNumericLong},
	"logs":       {data.FrameTypeLogLines},
}

func checkAnswer(t *testing.T, p panel, frames data.Frames) {
	t.Helper()
	if len(frames) == 0 {
		t.Fatal("no frames")
	}
	names := map[string]bool{}
	for _, f := range frames {
		if f.Rows() == 0 {
			t.Errorf("frame %s has no rows", f.Name)
		}
		for _, field := range f.Fields {
			names[field.Name] = true
		}
		if types, ok := wanted[p.Type]; ok && !slices.Contains(types, f.Meta.Type) {
			t.Errorf("a %s cannot draw a frame of the type %q", p.Type, f.Meta.Type)
		}
		if len(f.Meta.Notices) != 0 {
			t.Errorf("frame %s has notices %v", f.Name, f.Meta.Notices)
		}
	}
	if f := frames[0]; p.Type == "heplake-ladder-panel" && f.Meta.PreferredVisualizationPluginID != p.Type {
		t.Errorf("a ladder of a frame for %q", f.Meta.PreferredVisualizationPluginID)
	}
	for _, name := range transformed(t, p) {
		if !names[name] {
			t.Errorf("the panel works on the field %q, which the answer does not have", name)
		}
	}
}

// transformed are the fields of the answer that the panel's first
// transformation names.
func transformed(t *testing.T, p panel) (names []string) {
	t.Helper()
	if len(p.Transformations) == 0 {
		return nil
	}
	first := p.Transformations[0]
	switch first.ID {
	case "filterFieldsByName":
		var o struct{ Include struct{ Names []string } }
		if err := json.Unmarshal(first.Options, &o); err != nil {
			t.Fatal(err)
		}
		return o.Include.Names
	case "groupBy":
		var o struct{ Fields map[string]any }
		if err := json.Unmarshal(first.Options, &o); err != nil {
			t.Fatal(err)
		}
		for name := range o.Fields {
			names = append(names, name)
		}
	case "organize":
		var o struct {
			ExcludeByName map[string]bool
			IndexByName   map[string]int
			RenameByName  map[string]string
		}
		if err := json.Unmarshal(first.Options, &o); err != nil {
			t.Fatal(err)
		}
		for name := range o.IndexByName {
			names = append(names, name)
		}
	default:
		t.Errorf("the transformation %s is not checked here: add it", first.ID)
	}
	return names
}
