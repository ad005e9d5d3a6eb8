package api

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/heplake/heplake/query"
	"github.com/heplake/heplake/query/export"
)

type document struct {
	OpenAPI string                          `json:"openapi"`
	Info    struct{ Title, Version string } `json:"info"`
	Paths   map[string]map[string]struct {
		OperationID string                      `json:"operationId"`
		Summary     string                      `json:"summary"`
		Parameters  []struct{ Name, In string } `json:"parameters"`
		Responses   map[string]json.RawMessage  `json:"responses"`
	} `json:"paths"`
	Components struct {
		Schemas   map[string]schemaObject    `json:"schemas"`
		Responses map[string]json.RawMessage `json:"responses"`
	} `json:"components"`
}

type schemaObject struct {
	Properties map[string]json.RawMessage `json:"properties"`
	Required   []string                   `json:"required"`
	AllOf      []struct {
		Ref string `json:"$ref"`
		schemaObject
	} `json:"allOf"`
}

func readDocument(t *testing.T) (document, []byte) {
	t.Helper()
	r := get(t, serve(t, Config{Store: failing(nil)}), "/api/openapi.json")
	return decode[document](t, r), r.body
}

// Every route is in the document, and nothing else.
func TestOpenAPIHasEveryRoute(t *testing.T) {
	doc, _ := readDocument(t)
	var documented, routed []string
	ids := map[string]bool{}
	for path, operations := range doc.Paths {
		for method, op := range operations {
			documented = append(documented, strings.ToUpper(method)+" "+path)
			if op.OperationID == "" || ids[op.OperationID] || op.Summary == "" || op.Responses["200"] == nil && op.Responses["201"] == nil {
				t.Errorf("%s %s: operation %+v", method, path, op)
			}
			ids[op.OperationID] = true
			inPath := 0
			for _, p := range op.Parameters {
				if p.In == "path" {
					inPath++
					if !strings.Contains(path, "{"+p.Name+"}") {
						t.Errorf("%s has no {%s}", path, p.Name)
					}
				}
			}
			if inPath != strings.Count(path, "{") {
				t.Errorf("%s: %d parameters in the path are documented", path, inPath)
			}
		}
	}
	for _, r := range new(server).routes() {
		routed = append(routed, r.method+" "+publicPath(r.pattern))
	}
	slices.Sort(documented)
	slices.Sort(routed)
	if !slices.Equal(documented, routed) {
		t.Errorf("documented are\n%s\nroutes are\n%s", strings.Join(documented, "\n"), strings.Join(routed, "\n"))
	}
	if !strings.HasPrefix(doc.OpenAPI, "3.1.") || doc.Info.Version == "" {
		t.Errorf("openapi %q, version %q", doc.OpenAPI, doc.Info.Version)
	}
}

// The documented query parameters are those that the handlers take.
func TestOpenAPIHasEveryParameter(t *testing.T) {
	doc, _ := readDocument(t)
	url := serve(t, Config{Store: failing(nil)})
	for path, operations := range doc.Paths {
		op, ok := operations["get"]
		if !ok || !strings.HasPrefix(path, "/api/v") || path == "/api/v3/search/call" {
			continue
		}
		var want []string
		for _, p := range op.Parameters {
			if p.In == "query" {
				want = append(want, p.Name)
			}
		}
		slices.Sort(want)
		r := get(t, url, strings.NewReplacer("{callid}", "x", "{hepid}", "1", "{profile}", "call").Replace(path)+"?nosuch=1")
		p := wantProblem(t, r, 400, "request")
		if _, got, _ := strings.Cut(p.Detail, "there are "); got != strings.Join(want, ", ") {
			t.Errorf("%s takes %s; documented are %s", path, got, strings.Join(want, ", "))
		}
	}
}

// The documented members are those of the values that are encoded.
func TestOpenAPIHasEveryMember(t *testing.T) {
	doc, _ := readDocument(t)
	types := map[string]reflect.Type{
		"Call": reflect.TypeFor[query.Call](), "CallsResult": reflect.TypeFor[query.CallsResult](), "Flow": reflect.TypeFor[query.Flow](),
		"Leg": reflect.TypeFor[query.Leg](), "Participant": reflect.TypeFor[query.Participant](), "Item": reflect.TypeFor[query.Item](),
		"Quality": reflect.TypeFor[query.Quality](), "Stream": reflect.TypeFor[query.Stream](), "QualityReport": reflect.TypeFor[query.QualityReport](),
		"SeriesResult": reflect.TypeFor[seriesAnswer](), "Series": reflect.TypeFor[query.Series](), "Label": reflect.TypeFor[query.Label](),
		"SearchBody": reflect.TypeFor[searchBody](), "SearchAnswer": reflect.TypeFor[searchAnswer](), "CallRow": reflect.TypeFor[callRow](),
		"TransactionAnswer": reflect.TypeFor[transactionAnswer](), "TransactionData": reflect.TypeFor[transactionData](),
		"Finding": reflect.TypeFor[query.Finding](), "Transaction": reflect.TypeFor[query.Transaction](), "Dialog": reflect.TypeFor[query.Dialog](),
		"Clock": reflect.TypeFor[query.Clock](), "MediaReport": reflect.TypeFor[query.MediaReport](),
		"SIPMessage": reflect.TypeFor[query.Message](), "MessagesResult": reflect.TypeFor[query.MessagesResult](), "MessageRow": reflect.TypeFor[messageRow](),
		"WholeMessage": reflect.TypeFor[wholeMessage](), "MessageRows": reflect.TypeFor[rows[messageRow]](), "WholeMessages": reflect.TypeFor[rows[wholeMessage]](),
		"Report": reflect.TypeFor[report](), "ReportList": reflect.TypeFor[reportList](), "QOSAnswer": reflect.TypeFor[qosAnswer](),
		"MappingField": reflect.TypeFor[mappingField](), "Mapping": reflect.TypeFor[mapping](), "Mappings": reflect.TypeFor[counted[mapping]](),
		"Tag": reflect.TypeFor[tag](), "TagList": reflect.TypeFor[tagList](), "TagAnswer": reflect.TypeFor[tagAnswer](),
		"AliasRow": reflect.TypeFor[aliasRow](), "AliasAnswer": reflect.TypeFor[aliasAnswer](), "NodeName": reflect.TypeFor[nodeName](), "NodeList": reflect.TypeFor[counted[nodeName]](),
		"LokiStatus": reflect.TypeFor[lokiStatus](), "ModulesData": reflect.TypeFor[modulesData](), "ModulesAnswer": reflect.TypeFor[modulesAnswer](),
		"IDsBody": reflect.TypeFor[searchBody](),
		"Message": reflect.TypeFor[message](), "Arrow": reflect.TypeFor[arrow](),
		"Document": reflect.TypeFor[export.Document](), "Record": reflect.TypeFor[export.Record](), "Header": reflect.TypeFor[export.Header](),
		"Problem": reflect.TypeFor[problem](),
	}
	for name, schema := range doc.Components.Schemas {
		typ, ok := types[name]
		if !ok {
			t.Errorf("schema %s describes no type that the test knows", name)
			continue
		}
		delete(types, name)
		documented := maps.Clone(schema.Properties)
		for _, part := range schema.AllOf {
			of := part.schemaObject
			if part.Ref != "" {
				of = doc.Components.Schemas[strings.TrimPrefix(part.Ref, "#/components/schemas/")]
			}
			if documented == nil {
				documented = map[string]json.RawMessage{}
			}
			maps.Copy(documented, of.Properties)
		}
		got := slices.Sorted(maps.Keys(documented))
		want := jsonNames(typ)
		slices.Sort(want)
		want = slices.Compact(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s: documented are %v, encoded are %v", name, got, want)
		}
		for _, r := range schema.Required {
			if schema.Properties[r] == nil {
				t.Errorf("%s requires %s, which it does not describe", name, r)
			}
		}
	}
	for name := range types {
		t.Errorf("there is no schema %s", name)
	}
}

// Every reference leads somewhere.
func TestOpenAPIReferences(t *testing.T) {
	_, raw := readDocument(t)
	var doc map[string]any
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	found := 0
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if ref, ok := v["$ref"].(string); ok {
				found++
				var at any = doc
				for _, step := range strings.Split(strings.TrimPrefix(ref, "#/"), "/") {
					m, _ := at.(map[string]any)
					at = m[step]
				}
				if at == nil {
					t.Errorf("%s leads nowhere", ref)
				}
			}
			for _, e := range v {
				walk(e)
			}
		case []any:
			for _, e := range v {
				walk(e)
			}
		}
	}
	walk(doc)
	if found < 20 {
		t.Errorf("%d references found; the walk is broken", found)
	}
}

func TestIndexListsRoutes(t *testing.T) {
	r := get(t, serve(t, Config{Store: failing(nil)}), "/")
	if r.status != 200 || !strings.HasPrefix(r.header.Get("Content-Type"), "text/html") {
		t.Fatalf("status %d, type %q", r.status, r.header.Get("Content-Type"))
	}
	for _, route := range new(server).routes() {
		if !strings.Contains(string(r.body), "<code>"+publicPath(route.pattern)+"</code>") {
			t.Errorf("the page lacks %s", route.pattern)
		}
	}
}
