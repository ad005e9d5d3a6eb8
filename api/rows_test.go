package api

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	arrowdata "github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/ipc"
	"github.com/apache/arrow/go/v15/arrow/memory"
	"github.com/apache/arrow/go/v15/parquet/file"
	"github.com/apache/arrow/go/v15/parquet/pqarrow"
	"github.com/klauspost/compress/zstd"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/heplake/heplake/internal/chhttp"
	"github.com/heplake/heplake/internal/chtest"
	"github.com/heplake/heplake/internal/embedded"
	"github.com/heplake/heplake/internal/laketest"
	"github.com/heplake/heplake/query"
)

// exporter is a connection of the user that streams rows.
func exporter(t *testing.T, database string) *chhttp.Client {
	t.Helper()
	u, err := url.Parse(chtest.Server(t).URL(embedded.Exporter))
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + database
	c, err := chhttp.New(u.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// openRows is open with rows to stream, read by the embedded engine's own user for
// that.
func openRows(t *testing.T, r Rows, names ...string) (*lake, *laketest.Lake) {
	t.Helper()
	data := laketest.Open(t, names...)
	r.ClickHouse, r.Database = exporter(t, data.Name), data.Name
	store, err := query.Open(t.Context(), query.Options{URL: data.URL})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	l := &lake{db: data.DB, name: data.Name, registry: prometheus.NewRegistry()}
	l.url = serve(t, Config{Store: store, Registerer: l.registry, Rows: &r})
	return l, data
}

// windowQuery are the parameters of a lake's window.
func windowQuery(l *laketest.Lake, more ...string) string {
	v := url.Values{"from": {l.From.Add(-time.Second).Format(time.RFC3339Nano)}, "to": {l.To.Format(time.RFC3339Nano)}}
	for i := 0; i < len(more); i += 2 {
		v.Set(more[i], more[i+1])
	}
	return "?" + v.Encode()
}

// cells are rows as text by column, whatever format they came in.
type cells []map[string]string

// fromArrow reads the columns that text makes sense of.
func fromArrow(t *testing.T, r arrowdata.Record) cells {
	t.Helper()
	out := make(cells, r.NumRows())
	for i := range out {
		out[i] = map[string]string{}
		for j, f := range r.Schema().Fields() {
			switch c := r.Column(j).(type) {
			case *array.String:
				out[i][f.Name] = c.Value(i)
			case *array.Binary:
				out[i][f.Name] = c.ValueString(i)
			case *array.Timestamp:
				if c.IsValid(i) {
					unit := c.DataType().(*arrowdata.TimestampType).Unit
					out[i][f.Name] = c.Value(i).ToTime(unit).UTC().Format("2006-01-02T15:04:05.000000Z")
				}
			default:
				if c.IsValid(i) {
					out[i][f.Name] = c.ValueStr(i)
				}
			}
		}
	}
	return out
}

func readRows(t *testing.T, format string, body []byte) (out cells) {
	t.Helper()
	switch format {
	case "parquet":
		f, err := file.NewParquetReader(bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = f.Close() }()
		r, err := pqarrow.NewFileReader(f, pqarrow.ArrowReadProperties{}, memory.DefaultAllocator)
		if err != nil {
			t.Fatal(err)
		}
		table, err := r.ReadTable(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer table.Release()
		for tr := array.NewTableReader(table, 0); tr.Next(); {
			out = append(out, fromArrow(t, tr.Record())...)
		}
	case "arrow":
		r, err := ipc.NewReader(bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer r.Release()
		for r.Next() {
			out = append(out, fromArrow(t, r.Record())...)
		}
		if err := r.Err(); err != nil {
			t.Fatal(err)
		}
	case "csv":
		records, err := csv.NewReader(bytes.NewReader(body)).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range records[1:] {
			row := map[string]string{}
			for i, name := range records[0] {
				row[name] = r[i]
			}
			out = append(out, row)
		}
	case "jsonl":
		for dec := json.NewDecoder(bytes.NewReader(body)); ; {
			var row map[string]any
			dec.UseNumber()
			if err := dec.Decode(&row); errors.Is(err, io.EOF) {
				return out
			} else if err != nil {
				t.Fatal(err)
			}
			text := map[string]string{}
			for k, v := range row {
				if v != nil {
					text[k] = fmt.Sprint(v)
				}
			}
			out = append(out, text)
		}
	}
	return out
}

const rowsCapture = "captagent-hep3-udp-live-sip-rtcp-a"

// TestRowsAreTheAPIs reads messages and calls in every format and compares them
// with what the API says in JSON.
func TestRowsAreTheAPIs(t *testing.T) {
	l, data := openRows(t, Rows{}, rowsCapture, "heplify-hep3-udp-sip-rtcp-a")
	var messages query.MessagesResult
	l.get(t, "/api/v1/messages"+windowQuery(data, "raw", "true", "limit", "10000"), &messages)
	var calls query.CallsResult
	l.get(t, "/api/v1/calls"+windowQuery(data, "filter", "method = INVITE"), &calls)
	if len(messages.Messages) < 20 || len(calls.Calls) < 2 {
		t.Fatalf("%d messages, %d calls", len(messages.Messages), len(calls.Calls))
	}
	for _, format := range RowFormats() {
		t.Run(format, func(t *testing.T) {
			r := send(t, "GET", l.url, "/api/v1/rows/sip"+windowQuery(data, "format", format), "")
			if r.status != http.StatusOK || r.header.Get(rowsHeader) != strconv.Itoa(len(messages.Messages)) || r.header.Get(truncatedHeader) != "" {
				t.Fatalf("%d %v %.300s", r.status, r.header, r.body)
			}
			var got, want []string
			for _, c := range readRows(t, format, r.body) {
				got = append(got, strings.Join([]string{c["time"], c["call_id"], c["src_ip"], c["src_port"], c["dst_ip"], c["method"], c["status"], c["cseq_method"], c["from_user"], c["via_branch"], c["raw"]}, "|"))
			}
			for _, m := range messages.Messages {
				raw := m.Raw
				if format == "csv" { // as encoding/csv reads line ends
					raw = strings.ReplaceAll(raw, "\r\n", "\n")
				}
				want = append(want, strings.Join([]string{m.Time.Format("2006-01-02T15:04:05.000000Z"), m.CallID, m.SrcIP.String(), fmt.Sprint(m.SrcPort), m.DstIP.String(), m.Method, fmt.Sprint(m.Status), m.CSeqMethod, m.FromUser, m.ViaBranch, raw}, "|"))
			}
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("%d rows differ from the API's %d, the first\n%.600q\n%.600q", len(got), len(want), got[0], want[0])
			}
			r = send(t, "GET", l.url, "/api/v1/rows/calls"+windowQuery(data, "format", format, "columns", "correlation_id,start,outcome,messages,answer"), "")
			got, want = nil, nil
			for _, c := range readRows(t, format, r.body) {
				if len(c) > 5 {
					t.Fatalf("columns that nobody asked for: %v", c)
				}
				got = append(got, strings.Join([]string{c["correlation_id"], c["start"], c["outcome"], c["messages"], strings.TrimPrefix(c["answer"], "\\N")}, "|"))
			}
			for _, c := range calls.Calls {
				answer := ""
				if c.Answer != nil {
					answer = c.Answer.UTC().Format("2006-01-02T15:04:05.000000Z")
				}
				want = append(want, strings.Join([]string{c.CorrelationID, c.Start.Format("2006-01-02T15:04:05.000000Z"), string(c.Outcome), fmt.Sprint(c.Messages), answer}, "|"))
			}
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("%v, the API has %v", got, want)
			}
		})
	}
}

// TestRowsMatchTheSearch wants filters to find what the searches find.
func TestRowsMatchTheSearch(t *testing.T) {
	l, data := openRows(t, Rows{}, rowsCapture, "heplify-hep3-udp-sip-rtcp-a", "kamailio-hep3-authkey-corrid-dialogmode-a")
	for _, filter := range []string{
		"", "outcome = answered", "status >= 400", `from_user like "a%"`, "not (status = 200)", `user_agent ~ "(?i)pjsip|sipp"`, `messages > 10 and from_user != ""`,
		`from_user = "it's \\ a\ttab"`, "src_ip in 10.0.0.0/8",
	} {
		var found query.CallsResult
		full := "method = INVITE"
		if filter != "" {
			full += " and (" + filter + ")"
		}
		l.get(t, "/api/v1/calls"+windowQuery(data, "filter", full), &found)
		r := send(t, "GET", l.url, "/api/v1/rows/calls"+windowQuery(data, "format", "jsonl", "filter", full, "columns", "correlation_id"), "")
		if r.status != http.StatusOK {
			t.Fatalf("%q: %d %s", filter, r.status, r.body)
		}
		var got, want []string
		for _, c := range readRows(t, "jsonl", r.body) {
			got = append(got, c["correlation_id"])
		}
		for _, c := range found.Calls {
			want = append(want, c.CorrelationID)
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("calls with %q: %d rows, the search finds %d: %q %q", full, len(got), len(want), got, want)
		}
	}
	for _, filter := range []string{"method = INVITE", "status >= 400 or method in (ACK, BYE)", `raw ~ "(?i)contact"`, "ip = 10.99.0.1"} {
		var found query.MessagesResult
		l.get(t, "/api/v1/messages"+windowQuery(data, "filter", filter, "limit", "10000"), &found)
		r := send(t, "GET", l.url, "/api/v1/rows/sip"+windowQuery(data, "format", "jsonl", "filter", filter), "")
		if got := len(readRows(t, "jsonl", r.body)); r.status != http.StatusOK || got != len(found.Messages) {
			t.Errorf("messages with %q: %d rows, the search finds %d (%d)", filter, got, len(found.Messages), r.status)
		}
	}
	r := send(t, "GET", l.url, "/api/v1/rows/registrations"+windowQuery(data, "format", "jsonl", "filter", "outcome = registered and rrd_ms < 10s"), "")
	rows := readRows(t, "jsonl", r.body)
	if r.status != http.StatusOK || len(rows) == 0 || rows[0]["outcome"] != "registered" {
		t.Errorf("registrations: %d %.300s", r.status, r.body)
	}
}

// TestEveryTableHasRows asks for each table in each format, unfiltered.
func TestEveryTableHasRows(t *testing.T) {
	l, data := openRows(t, Rows{}, rowsCapture, "hepjs-hep3-udp-sip-rtcp-qos-log-a")
	for _, table := range query.BulkTables() {
		for _, format := range RowFormats() {
			r := send(t, "GET", l.url, "/api/v1/rows/"+table+windowQuery(data, "from", data.From.Truncate(24*time.Hour).Format(time.RFC3339), "format", format), "")
			if r.status != http.StatusOK {
				t.Errorf("%s as %s: %d %.400s", table, format, r.status, r.body)
				continue
			}
			want, err := strconv.Atoi(r.header.Get(rowsHeader))
			if got := len(readRows(t, format, r.body)); err != nil || got != want {
				t.Errorf("%s as %s: %d rows, announced were %d (%v)", table, format, got, want, err)
			}
			if want == 0 && !strings.HasPrefix(table, "kpi") && !strings.HasPrefix(table, "trunk") && table != "failed_calls" && table != "registrations_hourly" {
				t.Errorf("%s has no rows", table)
			}
		}
	}
}

func TestRowLimitIsSaid(t *testing.T) {
	l, data := openRows(t, Rows{Most: 10}, rowsCapture)
	for limit, want := range map[string]int{"": 10, "3": 3} {
		more := []string{"format", "jsonl"}
		if limit != "" {
			more = append(more, "limit", limit)
		}
		r := send(t, "GET", l.url, "/api/v1/rows/sip"+windowQuery(data, more...), "")
		if got := len(readRows(t, "jsonl", r.body)); got != want || r.header.Get(rowsHeader) != strconv.Itoa(want) || !strings.HasPrefix(r.header.Get(truncatedHeader), "limit: ") {
			t.Errorf("limit %q: %d rows, %v", limit, got, r.header)
		}
	}
	if r := send(t, "GET", l.url, "/api/v1/rows/sip"+windowQuery(data, "format", "jsonl", "limit", "11"), ""); r.status != http.StatusBadRequest {
		t.Errorf("a limit above the limit: %d", r.status)
	}
	if n := l.metric(t, "heplake_api_rows_total", "truncated"); n != 2 {
		t.Errorf("%g truncated", n)
	}
}

// fill adds messages that take megabytes.
func fill(t *testing.T, l *lake, rows int) {
	t.Helper()
	if err := l.db.Exec(t.Context(), fmt.Sprintf("INSERT INTO events (time, body) SELECT now64(6) - 60, randomString(500) FROM numbers(%d)", rows)); err != nil {
		t.Fatal(err)
	}
}

// TestBrokenRowsAreNoAnswer: what no header could announce must not look whole.
func TestBrokenRowsAreNoAnswer(t *testing.T) {
	l, _ := openRows(t, Rows{Bytes: 1 << 20}, rowsCapture)
	fill(t, l, 20_000)
	for _, encoding := range []string{"identity", "gzip", "zstd"} {
		req, err := http.NewRequestWithContext(t.Context(), "GET", l.url+"/api/v1/rows/events?format=csv&from=now-1h", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Accept-Encoding", encoding)
		res, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		n, err := io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
		if err == nil || n == 0 {
			t.Errorf("%s: %d bytes and then the end", encoding, n)
		}
	}
	if n := l.metric(t, "heplake_api_rows_total", "broken"); n != 3 {
		t.Errorf("%g broken", n)
	}
}

func TestRowsAreCompressed(t *testing.T) {
	l, data := openRows(t, Rows{}, rowsCapture)
	plain := send(t, "GET", l.url, "/api/v1/rows/sip"+windowQuery(data, "format", "jsonl"), "", "Accept-Encoding: identity")
	for encoding, open := range map[string]func(io.Reader) (io.Reader, error){
		"gzip": func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) },
		"zstd": func(r io.Reader) (io.Reader, error) { return zstd.NewReader(r) },
	} {
		r := send(t, "GET", l.url, "/api/v1/rows/sip"+windowQuery(data, "format", "jsonl"), "", "Accept-Encoding: "+encoding)
		if r.header.Get("Content-Encoding") != encoding || len(r.body) > len(plain.body)/2 {
			t.Errorf("%s: %d bytes of %d, %v", encoding, len(r.body), len(plain.body), r.header)
			continue
		}
		reader, err := open(bytes.NewReader(r.body))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(reader); err != nil || !bytes.Equal(got, plain.body) {
			t.Errorf("%s: %d bytes, %v", encoding, len(got), err)
		}
		if r := send(t, "GET", l.url, "/api/v1/rows/sip"+windowQuery(data, "format", "parquet"), "", "Accept-Encoding: "+encoding); r.header.Get("Content-Encoding") != "" {
			t.Errorf("parquet is compressed twice: %v", r.header)
		}
	}
}

// TestGoneClientsEndTheQuery wants ClickHouse to stop when nobody listens.
func TestGoneClientsEndTheQuery(t *testing.T) {
	l, _ := openRows(t, Rows{AtOnce: 1}, rowsCapture)
	fill(t, l, 400_000)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", l.url+"/api/v1/rows/events?format=csv&from=now-1h", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept-Encoding", "identity")
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if _, err := io.ReadFull(res.Body, make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	running := func() (n uint64) {
		t.Helper()
		if err := l.db.QueryRow(t.Context(), "SELECT count() FROM system.processes WHERE user = 'exporter' AND current_database = '"+l.name+"'").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := running(); n != 1 {
		t.Fatalf("%d queries run", n)
	}
	if r := send(t, "GET", l.url, "/api/v1/rows/events?format=csv&from=now-1h", ""); r.status != http.StatusServiceUnavailable || r.header.Get("Retry-After") == "" {
		t.Errorf("one too many: %d", r.status)
	}
	cancel()
	for i := 0; running() != 0; i++ {
		if i == 200 {
			t.Fatal("the query goes on")
		}
		time.Sleep(50 * time.Millisecond)
	}
	for i := 0; l.metric(t, "heplake_api_rows_total", "cancelled") != 1; i++ {
		if i == 200 {
			t.Fatal("nobody counted it")
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func TestBadRowRequests(t *testing.T) {
	l, _ := openRows(t, Rows{})
	for _, test := range []struct {
		path   string
		status int
		want   string
	}{
		{"sip", 400, "format takes parquet, arrow, csv, jsonl"},
		{"sip?format=xlsx", 400, "not \\\"xlsx\\\""},
		{"users?format=csv", 400, "there is no table"},
		{"sip?format=csv&columns=time,password", 400, "no column"},
		{"sip?format=csv&columns=time,time", 400, "named twice"},
		{"sip?format=csv&filter=nonsense%20=%201", 400, "nonsense"},
		{"kpi_hourly?format=csv&filter=tenant%20=%20a", 400, "takes no filter"},
		{"sip?format=csv&from=now&to=now-1h", 400, "before it starts"},
		{"sip?format=csv&limti=1", 400, "limti"},
	} {
		if r := send(t, "GET", l.url, "/api/v1/rows/"+test.path, ""); r.status != test.status || !strings.Contains(string(r.body), test.want) {
			t.Errorf("%s: %d %s, want %d with %q", test.path, r.status, r.body, test.status, test.want)
		}
	}
	without := open(t)
	if r := send(t, "GET", without.url, "/api/v1/rows/sip?format=csv", ""); r.status != http.StatusNotImplemented {
		t.Errorf("without a connection: %d", r.status)
	}
}

// get asks for JSON.
func (l *lake) get(t *testing.T, path string, into any) {
	t.Helper()
	r := send(t, "GET", l.url, path, "")
	if err := json.Unmarshal(r.body, into); err != nil || r.status != http.StatusOK {
		t.Fatalf("%s: %d %v %.300s", path, r.status, err, r.body)
	}
}

func (l *lake) metric(t *testing.T, name, label string) float64 {
	t.Helper()
	families, err := l.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name && m.GetLabel()[0].GetValue() == label {
				return m.GetCounter().GetValue()
			}
		}
	}
	return 0
}
