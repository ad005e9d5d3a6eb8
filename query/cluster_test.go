package query_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/heplake/heplake/bench/truth"
	"github.com/heplake/heplake/internal/captures"
	"github.com/heplake/heplake/internal/laketest"
	"github.com/heplake/heplake/query"
	"github.com/heplake/heplake/schema"
)

// both is a connection to a single node that gives each batch to a cluster as
// well, and to that two times: as an inserter does that did not hear the answer
// to the first.
type both struct {
	driver.Conn
	node, cluster *laketest.Lake
}

func (c both) InsertFormat(ctx context.Context, format, sql string, data io.Reader) error {
	body, err := io.ReadAll(data)
	if err != nil {
		return err
	}
	for range 2 {
		if err := c.cluster.DB.InsertFormat(ctx, format, strings.Replace(sql, "`"+c.node.Name+"`", "`"+c.cluster.Name+"`", 1), bytes.NewReader(body)); err != nil {
			return err
		}
	}
	return c.Conn.InsertFormat(ctx, format, sql, bytes.NewReader(body))
}

// oneAndTwo are a single node and a cluster of two shards with the same records
// in them: real captures, and traffic made.
func oneAndTwo(t *testing.T) (one, two *lake, corpus *truth.Corpus) {
	t.Helper()
	corpus, err := truth.New(truth.Config{Seed: 11, Calls: 120, Registrations: 30, Start: capturedFrom.Add(time.Hour), Skew: 20 * time.Millisecond, Duplicates: 0.02})
	if err != nil {
		t.Fatal(err)
	}
	made := make([]captures.Packet, len(corpus.Packets))
	for i, p := range corpus.Packets {
		made[i] = captures.Packet{Transport: "udp", Payload: p.Data}
	}
	lists := [][]captures.Packet{made}
	for _, name := range []string{failures, dialogs, lossy, twoLegs, registers, withMedia, withEvents, b2b} {
		lists = append(lists, captures.Read(t, captures.Path(name+".pcap")))
	}
	node, cluster := laketest.Open(t), laketest.OpenCluster(t, 2)
	node.Load(t, both{node.DB, node, cluster.Lake}, lists...)
	lakes := make([]*lake, 2)
	for i, l := range []*laketest.Lake{node, cluster.Lake} {
		l.Settle(t)
		store, err := query.Open(t.Context(), query.Options{URL: l.URL, MaxTime: 10 * time.Minute}) // three engines share the machine
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = store.Close() })
		lakes[i] = &lake{Store: store, Lake: l, db: l.DB, name: l.Name}
	}
	return lakes[0], lakes[1], corpus
}

// answer is a value as JSON, without what an answer cost and without the cursor,
// figures to nine digits: they are added up in another order.
func answer(t *testing.T, v any, err error) string {
	t.Helper()
	if err != nil {
		return "error: " + err.Error()
	}
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var plain any
	if err := d.Decode(&plain); err != nil {
		t.Fatal(err)
	}
	var walk func(v any) any
	walk = func(v any) any {
		switch v := v.(type) {
		case map[string]any:
			for _, k := range []string{"scanned_rows", "scanned_bytes", "next"} {
				delete(v, k)
			}
			for k := range v {
				v[k] = walk(v[k])
			}
		case []any:
			for i := range v {
				v[i] = walk(v[i])
			}
		case json.Number:
			if f, err := v.Float64(); err == nil && strings.ContainsAny(v.String(), ".eE") {
				return strconv.FormatFloat(f, 'g', 9, 64)
			}
		}
		return v
	}
	text, err = json.MarshalIndent(walk(plain), "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// difference is the first line in which two texts differ, with what is before it.
func difference(one, two string) string {
	a, b := strings.Split(one, "\n"), strings.Split(two, "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			from := max(0, i-6)
			return fmt.Sprintf("line %d\n%s\none node:   %s\ntwo shards: %s", i, strings.Join(a[from:i], "\n"), a[i], b[i])
		}
	}
	return fmt.Sprintf("%d lines on one node, %d on two shards", len(a), len(b))
}

// TestClusterAnswersAsOneNode asks a single node and two shards the same, and
// wants the same answers.
func TestClusterAnswersAsOneNode(t *testing.T) {
	one, two, corpus := oneAndTwo(t)
	asked := 0
	same := func(what string, ask func(l *lake) string) {
		t.Helper()
		a, b := ask(one), ask(two)
		if a != b {
			t.Errorf("%s: %s", what, difference(a, b))
		}
		if strings.HasPrefix(a, "error") {
			t.Errorf("%s: %s", what, a)
		}
		if len(a) > len("[]") {
			asked++
		}
	}
	column := func(l *lake, sql string) []string {
		var out []string
		rows, err := l.Conn().Query(l.Limit(t.Context()), strings.ReplaceAll(sql, "{db}", l.name))
		if err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
		for rows.Next() {
			var s string
			if err := rows.Scan(&s); err != nil {
				t.Fatal(err)
			}
			out = append(out, s)
		}
		if err := rows.Err(); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
		return out
	}

	t.Run("every record is there once, and both shards have some", func(t *testing.T) {
		for _, table := range schema.Tables() {
			same(table.Name, func(l *lake) string {
				return strings.Join(column(l, "SELECT concat(toString(count()), ' ', toString(sum(cityHash64(toString(tuple(*)))))) FROM {db}."+table.Name), "")
			})
		}
		if got := column(two, "SELECT toString(count()) FROM {db}.sip GROUP BY _shard_num"); len(got) != 2 {
			t.Errorf("messages by shard: %v", got)
		}
		// Legs of one call with ids of their own lie apart.
		if got := column(two, "SELECT DISTINCT 'apart' FROM (SELECT correlation_id AS call, arrayJoin(call_ids) AS leg FROM {db}.calls) AS c JOIN (SELECT call_id, any(_shard_num) AS shard FROM {db}.sip GROUP BY call_id) AS s ON s.call_id = c.leg GROUP BY call HAVING uniqExact(shard) > 1"); len(got) != 1 {
			t.Error("no call has legs on both shards: this test shows less than it should")
		}
	})
	t.Run("views", func(t *testing.T) {
		for _, v := range schema.Views() {
			same(v.Name, func(l *lake) string { return rowsOf(t, l.Lake, v.Name) })
		}
	})
	t.Run("search", func(t *testing.T) {
		for _, r := range []query.CallsRequest{
			{}, {Oldest: true, Filter: "status >= 400", Limit: 40}, {Filter: "method = INVITE", Limit: 40}, {Filter: "outcome = failed and method = INVITE"}, {Filter: "not method = INVITE"},
			{Filter: "src_ip in 127.0.0.0/8 and from_user like \"1%\""}, {Filter: "duration > 1s"}, {Filter: "mos < 4.3"}, {Filter: "header \"X-CID\" != \"\""}, {Filter: "method = REGISTER", Oldest: true},
			{Filter: "method = OPTIONS or status = 200 and duration > 500ms"}, {Filter: "call_id = \"1-16207@127.0.0.1\""}, {Filter: "raw like \"%X-CID%\" and not outcome = answered"},
		} {
			paged := r.Limit > 0
			if r.From, r.To = capturedFrom, capturedTo; !paged {
				r.Limit = 1000
			}
			same(fmt.Sprintf("search %+v", r), func(l *lake) string {
				var pages []string
				for r := r; ; {
					result, err := l.Calls(t.Context(), r)
					pages = append(pages, answer(t, result, err))
					if err != nil || result.Next == "" {
						return strings.Join(pages, "\n")
					}
					r.Cursor = result.Next
				}
			})
		}
	})
	t.Run("messages", func(t *testing.T) {
		for _, r := range []query.MessagesRequest{
			{Limit: 500, Raw: true}, {Limit: 500, Oldest: true}, {Limit: 300, Unique: true}, {Filter: "status >= 400", Limit: 50, Raw: true}, {Filter: "from_user like \"1%\" and method = INVITE", Limit: 20, Oldest: true},
		} {
			r.From, r.To = capturedFrom, capturedTo
			same(fmt.Sprintf("messages %+v", r), func(l *lake) string {
				var pages []string
				for r := r; ; {
					result, err := l.Messages(t.Context(), r)
					pages = append(pages, answer(t, result, err))
					if err != nil || result.Next == "" {
						return strings.Join(pages, "\n")
					}
					r.Cursor = result.Next
				}
			})
		}
	})
	t.Run("flows and quality, by every leg", func(t *testing.T) {
		ids := column(one, "SELECT arrayJoin(arrayDistinct(arrayConcat(call_ids, correlation_ids))) AS id FROM {db}.calls WHERE id != '' ORDER BY length(call_ids) > 1 DESC, cityHash64(id) LIMIT 16")
		ids = append(ids, column(one, "SELECT DISTINCT call_id FROM {db}.sip WHERE cseq_method NOT IN ('INVITE', 'ACK', 'BYE', 'CANCEL') ORDER BY call_id LIMIT 4")...)
		for _, id := range ids {
			same("flow of "+id, func(l *lake) string {
				f, err := l.Flow(t.Context(), query.FlowRequest{ID: id, From: capturedFrom, To: capturedTo, Media: true, Events: true})
				return answer(t, f, err)
			})
			same("quality of "+id, func(l *lake) string {
				q, err := l.Quality(t.Context(), query.QualityRequest{ID: id, From: capturedFrom, To: capturedTo})
				return answer(t, q, err)
			})
		}
		same("flow without a window", func(l *lake) string {
			f, err := l.Flow(t.Context(), query.FlowRequest{ID: ids[0]})
			return answer(t, f, err)
		})
	})
	t.Run("figures over time", func(t *testing.T) {
		made := corpus.Config.Start
		for _, r := range []query.SeriesRequest{
			{From: capturedFrom, To: capturedTo}, {From: made, To: made.Add(20 * time.Minute), Step: time.Minute, GroupBy: []string{"node"}},
		} {
			for i, metric := range query.Metrics() {
				if r.Metric = metric; r.GroupBy != nil && i%5 != 0 {
					continue
				}
				same(fmt.Sprintf("series %+v", r), func(l *lake) string {
					s, err := l.Series(t.Context(), r)
					return answer(t, s, err)
				})
			}
		}
		for _, r := range []query.SeriesRequest{
			{Metric: "attempts", GroupBy: []string{"outcome", "node"}}, {Metric: "asr", GroupBy: []string{"src_ip"}, Limit: 3}, {Metric: "asr", Filter: "from_user like \"1%\""},
			{Metric: "messages", GroupBy: []string{"method", "status"}}, {Metric: "messages", Filter: "status >= 400"}, {Metric: "pdd_ms_p95", GroupBy: []string{"final_status"}},
		} {
			r.From, r.To = capturedFrom, capturedTo
			same(fmt.Sprintf("series %+v", r), func(l *lake) string {
				s, err := l.Series(t.Context(), r)
				return answer(t, s, err)
			})
		}
	})
	if asked < 90 {
		t.Errorf("only %d answers had anything in them", asked)
	}
}
