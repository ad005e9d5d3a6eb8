package harness_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"testing"

	"github.com/heplake/heplake/grafana-plugin/pkg/harness"
	"github.com/heplake/heplake/internal/laketest"
	"github.com/heplake/heplake/schema"
)

// get gets a resource and reads its JSON.
func get[T any](t *testing.T, p *harness.Plugin, s harness.Source, path string, wantStatus int) (out T) {
	t.Helper()
	status, body := p.Resource(s, path)
	if status != wantStatus {
		t.Fatalf("%s: status %d, want %d: %s", path, status, wantStatus, body)
	}
	if err := json.Unmarshal(body, &out); err != nil {
		t.Fatalf("%s: %v: %s", path, err, body)
	}
	return out
}

func testResources(t *testing.T, p *harness.Plugin, s harness.Source, l *laketest.Lake) {
	window := fmt.Sprintf("&from=%d&to=%d", l.From.UnixMilli(), l.To.UnixMilli())
	type values struct {
		Field  string
		Values []struct {
			Value string
			Count uint64
		}
		Truncated bool
	}
	names := func(v values) (out []string) {
		for _, x := range v.Values {
			out = append(out, x.Value)
		}
		return out
	}

	t.Run("schema", func(t *testing.T) {
		got := get[struct {
			Database string
			Macros   []string
			Tables   []struct {
				Name    string
				Columns []struct{ Name, Type, Doc string }
			}
		}](t, p, s, "schema", 200)
		if got.Database != l.Name || len(got.Tables) != len(schema.Tables())+len(schema.Views()) || !slices.Contains(got.Macros, "$__timeFilter") {
			t.Errorf("database %s, %d tables, macros %v", got.Database, len(got.Tables), got.Macros)
		}
		if sip := got.Tables[0]; sip.Name != "sip" || len(sip.Columns) != len(schema.SIP.Columns) || sip.Columns[0].Type != "DateTime64(6, 'UTC')" || sip.Columns[0].Doc == "" {
			t.Errorf("table %+v", sip)
		}
	})
	t.Run("fields", func(t *testing.T) {
		type field struct {
			Name, Type, Scope string
			Ops, Values       []string
			Listed            bool
		}
		got := get[struct {
			Calls, Messages []field
			Metrics         []string
			GroupBy         []string `json:"group_by"`
		}](t, p, s, "fields", 200)
		i := slices.IndexFunc(got.Calls, func(f field) bool { return f.Name == "outcome" })
		if i < 0 || !slices.Contains(got.Calls[i].Values, "failed") || got.Calls[i].Scope != "call" || !got.Calls[i].Listed {
			t.Errorf("outcome of %d fields: %d", len(got.Calls), i)
		}
		i = slices.IndexFunc(got.Messages, func(f field) bool { return f.Name == "src_ip" })
		if i < 0 || got.Messages[i].Type != "address" || !slices.Contains(got.Messages[i].Ops, "in") {
			t.Errorf("src_ip of %d fields: %+v", len(got.Messages), got.Messages[max(i, 0)])
		}
		if !slices.Contains(got.Metrics, "errors") || !slices.Contains(got.GroupBy, "status") {
			t.Errorf("metrics %v, groups %v", got.Metrics, got.GroupBy)
		}
	})
	t.Run("values", func(t *testing.T) {
		got := get[values](t, p, s, "values?field=cseq_method"+window, 200)
		if got.Values[0].Value != "INVITE" || !slices.Contains(names(got), "BYE") || got.Truncated {
			t.Errorf("methods %v", got)
		}
		for i := 1; i < len(got.Values); i++ {
			if got.Values[i].Count > got.Values[i-1].Count {
				t.Errorf("value %d is more frequent than the one before", i)
			}
		}
		if got := get[values](t, p, s, "values?field=source_ip"+window, 200); got.Field != "src_ip" || !slices.Contains(names(got), "127.0.0.1") {
			t.Errorf("addresses %+v", got)
		}
		if got := names(get[values](t, p, s, "values?field=to_user&prefix=b"+window, 200)); !slices.Equal(got, []string{"bob"}) {
			t.Errorf("users beginning with b: %v", got)
		}
		if got := names(get[values](t, p, s, "values?field=outcome", 200)); !slices.Contains(got, "unanswered") {
			t.Errorf("outcomes %v", got)
		}
		if got := names(get[values](t, p, s, "values?field=method&from=2020-01-01T00:00:00Z&to=2020-01-02T00:00:00Z", 200)); len(got) != 0 {
			t.Errorf("methods of another time: %v", got)
		}
	})
	t.Run("values refused", func(t *testing.T) {
		for _, path := range []string{"values?field=raw", "values?field=call_id", "values?field=x%27", "values", "values?field=method&from=yesterday", "values?field=method&from=2000&to=1000"} {
			if got := get[struct{ Error string }](t, p, s, path, 400); got.Error == "" {
				t.Errorf("%s: no error", path)
			}
		}
	})
	t.Run("call", func(t *testing.T) {
		type flow struct {
			Call struct {
				Outcome string
			}
			Items []struct {
				CallID string `json:"call_id"`
			}
		}
		path := "call/" + url.PathEscape("3-16637@127.0.0.1")
		got := get[flow](t, p, s, path, 200)
		if got.Call.Outcome != "answered" || len(got.Items) != 14 {
			t.Errorf("%+v", got)
		}
		if got := get[flow](t, p, s, path+"?max=5"+window, 200); len(got.Items) != 5 {
			t.Errorf("%d items, want 5", len(got.Items))
		}
		get[struct{ Error string }](t, p, s, "call/no/such%2Fcall", 404)
		get[struct{ Error string }](t, p, s, path+"?max=x", 400)
	})
	if status, _ := p.Resource(s, "nothing"); status != 404 {
		t.Errorf("an unknown resource: status %d", status)
	}
}
