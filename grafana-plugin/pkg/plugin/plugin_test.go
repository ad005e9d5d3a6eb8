package plugin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/data"

	"github.com/heplake/heplake/query"
	"github.com/heplake/heplake/query/filter"
)

func TestStep(t *testing.T) {
	tests := []struct {
		suggested, window time.Duration
		points            int64
		want              time.Duration
	}{
		{0, time.Minute, 0, time.Second},
		{10 * time.Millisecond, time.Minute, 1000, time.Second},
		{1500 * time.Millisecond, time.Minute, 1000, 2 * time.Second},
		{7 * time.Second, time.Hour, 1000, 10 * time.Second},
		{time.Second, 24 * time.Hour, 43200, 10 * time.Second}, // an alert rule over a day
		{time.Second, time.Hour, 100, time.Minute},
		{0, 30 * 24 * time.Hour, 1000, time.Hour},
		{20 * time.Minute, 30 * 24 * time.Hour, 1850, time.Hour}, // a panel over the whole width
		{30 * time.Minute, 30 * 24 * time.Hour, 1450, time.Hour},
		{15 * time.Minute, 8 * 24 * time.Hour, 1850, 15 * time.Minute},
		{20 * time.Minute, 7 * 24 * time.Hour, 600, 20 * time.Minute},
		{2 * time.Hour, 90 * 24 * time.Hour, 1850, 2 * time.Hour},
		{0, 3650 * 24 * time.Hour, 100, 37 * 24 * time.Hour},
		{20 * 24 * time.Hour, 365 * 24 * time.Hour, 1000, 20 * 24 * time.Hour},
		{0, -time.Hour, 100, time.Second}, // a window the wrong way round is for package query to refuse
	}
	for _, tt := range tests {
		got := step(tt.suggested, tt.window, tt.points)
		if got != tt.want {
			t.Errorf("step(%s, %s, %d) is %s, want %s", tt.suggested, tt.window, tt.points, got, tt.want)
		}
		if n := tt.window / got; int64(n) >= query.MaxBuckets {
			t.Errorf("step(%s, %s, %d) makes %d buckets", tt.suggested, tt.window, tt.points, n)
		}
	}
}

func TestLinkRange(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	at := func(s int) time.Time { return now.Add(time.Duration(s) * time.Second) }
	end := at(-50)
	tests := []struct {
		name     string
		call     query.Call
		from, to time.Time
	}{
		{"ended", query.Call{Start: at(-100), End: &end, LastSeen: at(-49), Outcome: query.Answered}, at(-160), at(11)},
		{"end after the last message", query.Call{Start: at(-100), End: &end, LastSeen: at(-60)}, at(-160), at(10)},
		{"in progress", query.Call{Start: at(-100), LastSeen: at(-90), Outcome: query.InProgress}, at(-160), at(60)},
		{"left in progress long ago", query.Call{Start: at(-100000), LastSeen: at(-99999), Outcome: query.InProgress}, at(-100060), at(-99939)},
		{"no last message", query.Call{Start: at(-100)}, at(-160), at(-40)},
	}
	for _, tt := range tests {
		if from, to := linkRange(tt.call, now); !from.Equal(tt.from) || !to.Equal(tt.to) {
			t.Errorf("%s: from %v to %v, want %v to %v", tt.name, from, to, tt.from, tt.to)
		}
	}
}

func TestSettings(t *testing.T) {
	tests := []struct {
		name, json string
		secrets    map[string]string
		url        string // with everything in it
		database   string
	}{
		{"plain", `{"url":"http://ch:8123"}`, nil, "http://ch:8123", "heplake"},
		{"user and password", `{"url":" http://ch:8123 ","user":"reader"}`, map[string]string{"password": "p@ss/w?rd#"}, "http://reader:p%40ss%2Fw%3Frd%23@ch:8123", "heplake"},
		{"password alone", `{"url":"http://ch:8123"}`, map[string]string{"password": "x"}, "http://default:x@ch:8123", "heplake"},
		{"user in the URL", `{"url":"http://a:b@ch:8123/lake"}`, nil, "http://a:b@ch:8123/lake", "lake"},
		{"user overrides the URL's", `{"url":"http://a:b@ch:8123","user":"c"}`, map[string]string{"password": "d"}, "http://c:d@ch:8123", "heplake"},
		{"database overrides the URL's", `{"url":"http://ch:8123/lake","database":"other"}`, nil, "http://ch:8123/lake", "other"},
		{"TLS", `{"url":"https://ch:8443"}`, nil, "https://ch:8443?secure=true", "heplake"},
		{"TLS unchecked", `{"url":"https://ch:8443","tlsSkipVerify":true}`, nil, "https://ch:8443?secure=true&skip_verify=true", "heplake"},
		{"unchecked without TLS", `{"url":"http://ch:8123","tlsSkipVerify":true}`, nil, "http://ch:8123", "heplake"},
		{"native with TLS", `{"url":"clickhouse://ch:9440?secure=true","tlsSkipVerify":true}`, nil, "clickhouse://ch:9440?secure=true&skip_verify=true", "heplake"},
		{"token in place of a user", `{"url":"https://a:b@ch:8443","user":"c"}`, map[string]string{"token": "t0ken"}, "https://ch:8443?secure=true", "heplake"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := readSettings(backend.DataSourceInstanceSettings{JSONData: []byte(tt.json), DecryptedSecureJSONData: tt.secrets})
			if err != nil {
				t.Fatal(err)
			}
			o, err := s.options()
			if err != nil {
				t.Fatal(err)
			}
			if o.URL != tt.url || o.Database != tt.database {
				t.Errorf("%s, database %s; want %s, %s", o.URL, o.Database, tt.url, tt.database)
			}
			opt, err := clickhouse.ParseDSN(o.URL)
			if err != nil {
				t.Fatal(err)
			}
			o.Configure(opt)
			if opt.Auth.Database != tt.database {
				t.Errorf("current database %s", opt.Auth.Database)
			}
			if token := tt.secrets["token"]; token != "" && opt.HttpHeaders["Authorization"] != "Bearer "+token {
				t.Errorf("headers %v", opt.HttpHeaders)
			}
			if strings.Contains(tt.json, "tlsSkipVerify") && opt.TLS != nil && !opt.TLS.InsecureSkipVerify {
				t.Error("the certificate is checked")
			}
		})
	}
	t.Run("token over the native protocol", func(t *testing.T) {
		opt := &clickhouse.Options{Protocol: clickhouse.Native}
		settings{Token: "t0ken"}.signInWithToken(opt)
		if got, err := opt.GetJWT(t.Context()); got != "t0ken" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
	})
	for _, in := range []string{`{"url":"ch:8123"}`, `{"url":"http://"}`, `{"url":""}`, `{}`, `{"url":5}`, `nonsense`} {
		if _, err := readSettings(backend.DataSourceInstanceSettings{JSONData: []byte(in)}); err == nil {
			t.Errorf("%s is taken", in)
		}
	}
}

func TestErrors(t *testing.T) {
	d := &Datasource{settings: settings{Password: "s3cret!", Token: "t0ken", URL: "http://u:inurl@h"}}
	exception := func(code int32) error {
		return fmt.Errorf("calls: %w", &clickhouse.HTTPError{StatusCode: 500, Err: &clickhouse.Exception{Code: code, Message: "why"}})
	}
	tests := []struct {
		err    error
		free   bool
		status backend.Status
		source backend.ErrorSource
	}{
		{&filter.Error{Input: "a", Got: "a", Expected: "b"}, false, 400, "downstream"},
		{badQueryf("x"), false, 400, "downstream"},
		{fmt.Errorf("series: %w", query.ErrInvalid), false, 400, "downstream"},
		{fmt.Errorf("calls: %w", query.ErrTooExpensive), false, 504, "downstream"},
		{fmt.Errorf("calls: %w", query.ErrUnavailable), false, 502, "downstream"},
		{fmt.Errorf("%w: %w", query.ErrUnavailable, exception(516)), false, 401, "downstream"},
		{fmt.Errorf("%w: %w", query.ErrUnavailable, exception(60)), false, 502, "downstream"},
		{exception(60), true, 400, "downstream"},
		{exception(497), true, 403, "downstream"},
		{exception(164), false, 403, "downstream"},
		{exception(427), false, 400, "downstream"},
		{exception(999), false, 502, "downstream"},
		{exception(999), true, 400, "downstream"},
		{exception(62), false, 500, "plugin"}, // SQL that this project wrote
		{exception(62), true, 400, "downstream"},
		{&clickhouse.HTTPError{StatusCode: 401, Err: errors.New("a proxy")}, false, 401, "downstream"},
		{context.Canceled, false, 502, "downstream"},
		{context.DeadlineExceeded, false, 502, "downstream"},
		{errClosed, false, 502, "downstream"},
		{&connectError{io.ErrUnexpectedEOF}, false, 502, "downstream"},
		{&settingsError{errors.New("no URL")}, false, 400, "downstream"},
		{errors.New("a fault of ours"), false, 500, "plugin"},
	}
	for _, tt := range tests {
		r := d.failed(tt.err, tt.free)
		if r.Status != tt.status || r.ErrorSource != tt.source || r.Error == nil {
			t.Errorf("%v (free %v): status %d, source %s; want %d, %s", tt.err, tt.free, r.Status, r.ErrorSource, tt.status, tt.source)
		}
	}
	got := d.failed(errors.New(`Post "http://u:s3cret!@h?k=t0ken": inurl`), false).Error.Error()
	if want := `Post "http://u:xxxxx@h?k=xxxxx": xxxxx`; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}

func TestAsker(t *testing.T) {
	pc := backend.PluginContext{OrgID: 3, User: &backend.User{Login: "alice"}} //nolint:staticcheck // Grafana fills it in
	got := newAsker(pc, map[string]string{"FromAlert": "true", "http_X-Rule-Uid": "r", "x-dashboard-uid": strings.Repeat("d", 500), "http_X-Grafana-User": "mallory"})
	want := asker{From: "grafana", Login: "alice", Org: 3, Alert: true, Rule: "r", Dashboard: strings.Repeat("d", maxHeader)}
	if got != want {
		t.Errorf("%+v\nwant %+v", got, want)
	}
	if got := newAsker(backend.PluginContext{}, map[string]string{"http_X-Grafana-User": "mallory"}); got != (asker{From: "grafana"}) {
		t.Errorf("without a user: %+v", got)
	}
}

func TestOlderThan(t *testing.T) {
	for v, want := range map[string]bool{"12.3.0": false, "12.2.9": true, "11.6.14": true, "13.1.0-pre": false, "12.10.0": false, "12.3.0+security-01": false} {
		if got := olderThan(v, grafanaFloor); got != want {
			t.Errorf("%s is older than %s: %v", v, grafanaFloor, got)
		}
	}
}

// TestAPanicFailsOneQuery: the other queries of the request are answered.
func TestAPanicFailsOneQuery(t *testing.T) {
	answerers["panics"] = func(*Datasource, context.Context, *lake, question) (data.Frames, error) { panic("no") }
	answerers["fine"] = func(*Datasource, context.Context, *lake, question) (data.Frames, error) {
		return data.Frames{data.NewFrame("fine")}, nil
	}
	t.Cleanup(func() { delete(answerers, "panics"); delete(answerers, "fine") })
	d := &Datasource{lake: &lake{}}
	r, err := d.QueryData(t.Context(), &backend.QueryDataRequest{Queries: []backend.DataQuery{{RefID: "A", QueryType: "panics"}, {RefID: "B", QueryType: "fine"}}})
	if err != nil {
		t.Fatal(err)
	}
	if a := r.Responses["A"]; a.Error == nil || a.Status != 500 || a.ErrorSource != backend.ErrorSourcePlugin || strings.Contains(a.Error.Error(), "no\n") {
		t.Errorf("A: %+v", a)
	}
	if b := r.Responses["B"]; b.Error != nil || len(b.Frames) != 1 {
		t.Errorf("B: %+v", b)
	}
}

// TestDisposed: a request that comes after Dispose fails, and does not open a
// connection that nobody would close.
func TestDisposed(t *testing.T) {
	instance, err := New(t.Context(), backend.DataSourceInstanceSettings{JSONData: []byte(`{"url":"http://127.0.0.1:1"}`)})
	if err != nil {
		t.Fatal(err)
	}
	d := instance.(*Datasource)
	d.Dispose()
	if _, err := d.open(t.Context()); !errors.Is(err, errClosed) {
		t.Errorf("got %v", err)
	}
}

func TestLabelSetsAreBounded(t *testing.T) {
	n := maxLabelSets + 1
	times, names, values := make([]time.Time, n), make([]string, n), make([]float64, n)
	for i := range n {
		times[i], names[i] = time.Unix(int64(i), 0), fmt.Sprint(i)
	}
	f := data.NewFrame("sql", data.NewField("t", nil, times), data.NewField("name", nil, names), data.NewField("v", nil, values))
	f.Meta = &data.FrameMeta{}
	_, err := shape(f, "", true, false)
	var bad *badQuery
	if !errors.As(err, &bad) {
		t.Errorf("got %v, want the query refused", err)
	}
}

func TestShapeJoinsRowsOfOneLabelSet(t *testing.T) {
	at := func(s int64) time.Time { return time.Unix(s, 0).UTC() }
	a, b := "a", "b"
	one, two := 1.0, 2.0
	f := data.NewFrame("sql",
		data.NewField("t", nil, []time.Time{at(3), at(1), at(2), at(1)}),
		data.NewField("name", nil, []*string{&a, &a, &b, nil}),
		data.NewField("v", nil, []*float64{&two, &one, nil, &one}))
	f.Meta = &data.FrameMeta{}
	got, err := shape(f, "", true, false)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, f := range got {
		line := fmt.Sprint(f.Fields[1].Labels)
		for i := range f.Rows() {
			v, ok := f.Fields[1].ConcreteAt(i)
			if !ok {
				v = nil
			}
			line += fmt.Sprintf(" %d:%v", timeAt(f.Fields[0], i).Unix(), v)
		}
		lines = append(lines, line)
	}
	want := "name= 1:1|name=a 1:1 3:2|name=b 2:<nil>"
	if got := strings.Join(lines, "|"); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}

// TestNobodyAnswers: a port that takes connections and says nothing is given up
// on, and the asker who leaves earlier does not wait for that.
func TestNobodyAnswers(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	instance, err := New(t.Context(), backend.DataSourceInstanceSettings{JSONData: []byte(`{"url":"http://` + silent.Addr().String() + `"}`)})
	if err != nil {
		t.Fatal(err)
	}
	d := instance.(*Datasource)
	defer d.Dispose()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := d.open(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("who left got %v", err)
	}
	if _, err = d.open(t.Context()); classify(err, false) != categoryConnect || !strings.Contains(d.message(err), "no answer from "+silent.Addr().String()) {
		t.Errorf("who stayed got %s: %s", classify(err, false), d.message(err))
	}
}

// The same cases as in the app's tests of its paths.
func TestEscapeID(t *testing.T) {
	for id, want := range map[string]string{
		"1-15155@127.0.0.1": "1-15155@127.0.0.1", "per%cent%2F": "per~25cent~252F", "~x~25": "~7Ex~7E25", "a/b": "a/b", "": "",
	} {
		if got := escapeID(id); got != want {
			t.Errorf("%s becomes %s, want %s", id, got, want)
		}
	}
}
