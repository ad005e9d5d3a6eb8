package latency

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/heplake/heplake/bench/load"
	"github.com/heplake/heplake/internal/captures"
	"github.com/heplake/heplake/internal/embedded"
)

// TestCopiesAreTraffic makes a month of few messages and holds that every copy is
// one: its calls have their messages, ids lead to them, and the sums are theirs.
// It measures them, too, and takes the same folder a second time.
func TestCopiesAreTraffic(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	library, err := embedded.FindLibrary(os.Getenv("HEPLAKE_EMBEDDED_LIBRARY"))
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("HEPLAKE_EMBEDDED_LIBRARY", library)
	binary := filepath.Join(t.TempDir(), "heplake")
	build := exec.Command("go", "build", "-o", binary, "./cmd/heplake")
	build.Dir = captures.Root()
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	t.Setenv("HEPLAKE_TRUNKS", Trunks)
	const messages = 60_000
	dir := t.TempDir()
	s := serve(t, binary, dir)
	if err := Fill(t.Context(), s, messages, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ what, sql, want string }{
		{"messages", "SELECT count() >= 60000 FROM heplake.sip", "1"},
		{"calls whose messages are others", `SELECT count() FROM
			(SELECT leg, start, messages, length(call_ids) AS legs FROM heplake.call_rows FINAL ARRAY JOIN call_ids AS leg) AS c
			LEFT JOIN (SELECT call_id AS leg, min(time) AS first, count() AS n FROM heplake.sip GROUP BY leg) AS m USING (leg)
			WHERE n = 0 OR legs = 1 AND (start, messages) != (first, n) OR first - start NOT BETWEEN 0 AND 60 OR messages < n`, "0"},
		{"registrations without messages", "SELECT count() FROM heplake.registration_rows WHERE (call_id, start) NOT IN (SELECT call_id, min(time) FROM heplake.sip GROUP BY call_id)", "0"},
		// A report or two come of calls of which no message was sent.
		{"media of other calls", `SELECT
			(SELECT countIf(correlation_id IN (SELECT call_id FROM heplake.sip)) / count() FROM heplake.media) =
			(SELECT countIf(correlation_id IN (SELECT leg FROM latency.sip)) / count() FROM latency.media)`, "1"},
		{"ids that differ from the messages'", `SELECT count() FROM
			(SELECT id, tenant, hour, call_id, correlation_id FROM heplake.ids FINAL) AS i FULL JOIN
			(SELECT cityHash64(name) AS id, tenant, hour, if(call = name, '', call) AS call_id, if(other = name, '', other) AS correlation_id FROM
				(SELECT DISTINCT tenant, toStartOfHour(time) AS hour, call_id AS call, correlation_id AS other FROM heplake.sip) ARRAY JOIN arrayDistinct([call, other]) AS name) AS m
			USING (id, tenant, hour, call_id, correlation_id) WHERE i.hour != m.hour SETTINGS join_use_nulls = 0`, "0"},
		{"users that differ from the messages'", `SELECT count() FROM
			(SELECT DISTINCT user, tenant, hour, correlation_id, 1 AS is FROM heplake.users) AS u FULL JOIN
			(SELECT DISTINCT cityHash64(arrayJoin([from_user, to_user, ruri_user]) AS name) AS user, tenant, toStartOfHour(time) AS hour, correlation_id, 1 AS is FROM heplake.sip WHERE name != '') AS m
			USING (user, tenant, hour, correlation_id) WHERE u.is != m.is SETTINGS join_use_nulls = 0`, "0"},
		{"calls without a card", "SELECT count() FROM heplake.call_rows WHERE card = ''", "0"},
		{"days without messages", "SELECT 30 - uniqExact(toDate(time - toIntervalSecond((SELECT toUInt32(max(time)) % 86400 + 1 FROM heplake.sip)))) FROM heplake.sip", "0"},
		{"calls, less those summed up", "SELECT count() - (SELECT toInt64(sum(attempts)) FROM heplake.kpi_1m FINAL WHERE dim = 'all') FROM heplake.calls WHERE method = 'INVITE'", "0"},
		{"likewise by day", "SELECT count() - (SELECT toInt64(sum(attempts)) FROM heplake.kpi_1d FINAL WHERE dim = 'all') FROM heplake.calls WHERE method = 'INVITE'", "0"},
		{"registrations, less those summed up", "SELECT count() - (SELECT toInt64(sum(attempts)) FROM heplake.registrations_1h FINAL WHERE dim = 'all') FROM heplake.registrations", "0"},
		{"messages, less those summed up", "SELECT count() - (SELECT toInt64(sum(messages)) FROM heplake.messages_1m) FROM heplake.sip", "0"},
	} {
		if got, err := s.Query(t.Context(), c.sql); err != nil || got != c.want {
			t.Errorf("%s: %q, %v, want %s", c.what, got, err, c.want)
		}
	}
	about, err := readSubjects(t.Context(), s, 3)
	if err != nil {
		t.Fatal(err)
	}
	both := questions[2].request(about, 0)
	if legs := legsOf(t, "http://"+s.Address("api")+both); legs != 2 {
		t.Errorf("%s has %d legs, want 2", both, legs)
	}
	r, err := Measure(t.Context(), s, 1, []string{"Call-ID", "no filter", "series asr"})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Answers) != 8 || r.Messages < messages || r.Calls == 0 {
		t.Errorf("result %+v", r)
	}
	for _, a := range r.Answers {
		if a.P50Ms <= 0 || a.CPUMs <= 0 || a.Queries < 1 || !strings.Contains(r.Table(), "| "+a.Name+" |") {
			t.Errorf("answer %+v", a)
		}
	}
	if named, err := s.Query(t.Context(), "SELECT uniqExact(trunk) FROM heplake.trunk_daily WHERE direction = 'in'"); err != nil || named < "2" {
		t.Errorf("%q trunks have calls, %v", named, err)
	}
	s.Stop()

	s = serve(t, binary, dir)
	if err := Fill(t.Context(), s, messages, slog.New(slog.DiscardHandler)); err != nil {
		t.Error("the same again: ", err)
	}
	if err := Fill(t.Context(), s, 1_000_000, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("took a folder with too few messages")
	}
}

// serve starts a server, which ends with the test.
func serve(t *testing.T, binary, dir string) *load.Server {
	t.Helper()
	s, err := load.Serve(t.Context(), binary, dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

// legsOf is how many legs a flow has.
func legsOf(t *testing.T, address string) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var flow struct {
		Legs []struct{} `json:"legs"`
	}
	if err := json.Unmarshal(text, &flow); err != nil {
		t.Fatalf("%s: %v in %.200s", address, err, text)
	}
	return len(flow.Legs)
}

// TestTable: what people read has each answer in a row.
func TestTable(t *testing.T) {
	r := Result{Messages: 5, Answers: []Answer{{Name: "one", P50Ms: 12.4, CPUMs: 7}}}
	if got := r.Table(); !strings.Contains(got, "| one | 0 | 12 | 0 | 7 |") {
		t.Error(got)
	}
}
