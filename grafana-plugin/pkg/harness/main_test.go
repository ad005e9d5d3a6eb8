package harness_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/data"

	"github.com/heplake/heplake/grafana-plugin/pkg/harness"
	"github.com/heplake/heplake/internal/laketest"
)

func TestMain(m *testing.M) { harness.Main(m) }

// loaded are the captures most tests read: calls, failures, calls over two legs,
// and media with its reports.
var loaded = []string{
	"kamailio-hep3-udp-sip-calls-a", "kamailio-hep3-udp-sip-failures-a",
	"sngrep-hep3-udp-b2bua-two-callids-xcid-a", "heplify-hep3-udp-sip-rtcp-a", "hepjs-hep3-udp-sip-rtcp-qos-log-a",
}

// source is the lake as a data source, with its owner's rights.
func source(t *testing.T, l *laketest.Lake) harness.Source {
	t.Helper()
	u, err := url.Parse(l.URL)
	if err != nil {
		t.Fatal(err)
	}
	password, _ := u.User.Password()
	return harness.Source{
		Settings: map[string]any{"url": u.Scheme + "://" + u.Host, "database": l.Name, "user": u.User.Username()},
		Secrets:  map[string]string{"password": password},
		User:     &backend.User{Login: "alice", Role: "Viewer"},
	}
}

// over is a query over all of the lake.
func over(l *laketest.Lake, model map[string]any) harness.Query {
	return harness.Query{Model: model, From: l.From, To: l.To}
}

// frames are the frames of a response without error.
func frames(t *testing.T, r backend.DataResponse) data.Frames {
	t.Helper()
	if r.Error != nil {
		t.Fatalf("status %d: %v", r.Status, r.Error)
	}
	if len(r.Frames) == 0 {
		t.Fatal("no frames")
	}
	return r.Frames
}

// field is the named field of a frame.
func field(t *testing.T, f *data.Frame, name string) *data.Field {
	t.Helper()
	x, at := f.FieldByName(name)
	if at < 0 {
		var names []string
		for _, f := range f.Fields {
			names = append(names, f.Name)
		}
		t.Fatalf("frame %s has no field %s among %s", f.Name, name, strings.Join(names, " "))
	}
	return x
}

// value is a field's value at a row; nil when it is null. Times are in UTC.
func value(t *testing.T, f *data.Frame, name string, row int) any {
	t.Helper()
	x := field(t, f, name)
	if row >= x.Len() {
		t.Fatalf("field %s has %d rows, want row %d", name, x.Len(), row)
	}
	v, ok := x.ConcreteAt(row)
	if !ok {
		return nil
	}
	if at, ok := v.(time.Time); ok {
		return at.UTC()
	}
	return v
}
