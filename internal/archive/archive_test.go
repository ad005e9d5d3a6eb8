package archive

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/heplake/heplake/internal/chhttp"
	"github.com/heplake/heplake/internal/laketest"
	"github.com/heplake/heplake/query"
)

// sample are captures of one day with every kind of row in them.
var sample = []string{"captagent-hep3-udp-live-sip-rtcp-a", "hepjs-hep3-udp-sip-rtcp-qos-log-a", "heplify-hep3-udp-sip-rtcp-a"}

// world is a lake and an archive of it.
type world struct {
	*Archive
	lake    *laketest.Lake
	options Options
	dir     string
	days    []string
}

// place has a test's archive lie somewhere.
type place func(t *testing.T, o *Options)

// inFolder has it in a folder.
func inFolder(t *testing.T, o *Options) { o.Dir = filepath.Join(t.TempDir(), "archive") }

// open loads the sample, and rows whose text is no UTF-8.
func open(t *testing.T, fileBytes uint64) *world { return openAt(t, inFolder, fileBytes) }

func openAt(t *testing.T, at place, fileBytes uint64) *world {
	t.Helper()
	w := &world{lake: laketest.Open(t, sample...)}
	w.options = Options{URL: w.lake.URL, Database: w.lake.Name, FileBytes: fileBytes, Log: slog.New(slog.DiscardHandler)}
	at(t, &w.options)
	w.dir = w.options.Dir
	w.exec(t, "INSERT INTO events (time, tenant, type, body, hep) SELECT (SELECT min(time) FROM sip) + toIntervalMillisecond(number), 'acme', 100, concat(unhex('00FF0D0AC328'), toString(number)), map('vlan', unhex('FE00')) FROM numbers(500)")
	w.exec(t, "INSERT INTO media (time, correlation_id, src_ip, mos, metrics, raw) SELECT (SELECT min(time) FROM sip), concat(unhex('00'), toString(number)), toIPv6('2001:db8::7'), nan, map('x', number / 3), unhex('80C8') FROM numbers(300)")
	var err error
	if w.Archive, err = Open(w.options); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	days := map[string]bool{}
	for _, table := range Tables() {
		for _, day := range w.over(t, table) {
			if !days[day] {
				days[day], w.days = true, append(w.days, day)
			}
		}
	}
	if len(w.days) == 0 {
		t.Fatal("the sample has no day")
	}
	return w
}

// tomorrow makes today a day that is over.
func tomorrow() time.Time { return time.Now().AddDate(0, 0, 1) }

func (w *world) over(t *testing.T, table string) []string {
	t.Helper()
	days, err := w.Over(t.Context(), table, tomorrow())
	if err != nil {
		t.Fatal(err)
	}
	return days
}

func (w *world) exec(t *testing.T, sql string) {
	t.Helper()
	if err := w.lake.DB.Exec(t.Context(), sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// content is every row of a table, every column byte for byte, in one order.
func (w *world) content(t *testing.T, table string) []byte {
	t.Helper()
	info, err := w.find(t.Context(), strings.TrimSuffix(table, "_again"), table)
	if err != nil {
		t.Fatal(err)
	}
	columns := quoted(columnNames(info.columns))
	b, err := w.ch.Read(t.Context(), chhttp.Query{SQL: "SELECT " + columns + " FROM " + info.source() + " ORDER BY " + info.sortByKey + ", " + hashOf(columnNames(info.columns)) + " FORMAT RowBinary", Settings: settings(nil)})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (w *world) contents(t *testing.T) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	for _, table := range Tables() {
		if out[table] = w.content(t, table); len(out[table]) == 0 {
			t.Fatalf("%s has no rows", table)
		}
	}
	return out
}

func (w *world) want(t *testing.T, before map[string][]byte) {
	t.Helper()
	for table, b := range before {
		if got := w.content(t, table); !bytes.Equal(got, b) {
			t.Errorf("%s is not as it was: %d bytes of rows, and there were %d", table, len(got), len(b))
		}
	}
}

func (w *world) putAll(t *testing.T) (rows uint64) {
	t.Helper()
	for _, table := range Tables() {
		for _, day := range w.over(t, table) {
			r, err := w.Put(t.Context(), table, day)
			if err != nil {
				t.Fatal(err)
			}
			rows += r.Rows
		}
	}
	return rows
}

func (w *world) dropAll(t *testing.T) {
	t.Helper()
	for _, table := range Tables() {
		w.exec(t, "TRUNCATE TABLE "+table)
	}
}

func (w *world) restoreAll(t *testing.T) (rows uint64) {
	t.Helper()
	for _, table := range Tables() {
		days, err := w.Archive.Days(t.Context(), table)
		if err != nil {
			t.Fatal(err)
		}
		for _, day := range days {
			r, err := w.Restore(t.Context(), RestoreRequest{Table: table, Day: day})
			if err != nil {
				t.Fatal(err)
			}
			rows += r.Rows
		}
	}
	return rows
}

// leftovers are tables of work that should be gone.
func (w *world) leftovers(t *testing.T) {
	t.Helper()
	type row struct {
		Names []string `json:"names"`
	}
	r, err := one[row](t.Context(), w.Archive, "SELECT groupArray(name) AS names FROM system.tables WHERE database = currentDatabase() AND (name LIKE 'archive\\_%' OR name LIKE 'restore\\_%')")
	if err != nil || len(r.Names) > 0 {
		t.Errorf("tables of work are left: %v, %v", r.Names, err)
	}
}

// TestRoundTrip archives every table, deletes it, and wants every row back byte
// for byte, once, however often it is asked for; in one file, and in many.
func TestRoundTrip(t *testing.T) {
	for name, test := range map[string]struct {
		at   place
		size uint64
	}{"one file": {inFolder, 0}, "many files": {inFolder, 20 << 10}, "many files in a bucket": {inBucket, 20 << 10}} {
		t.Run(name, func(t *testing.T) {
			size := test.size
			w := openAt(t, test.at, size)
			before := w.contents(t)
			rows := w.putAll(t)
			if again := w.putAll(t); again != 0 {
				t.Errorf("archiving again wrote %d rows", again)
			}
			w.want(t, before)
			found, err := w.List(t.Context(), "")
			if err != nil {
				t.Fatal(err)
			}
			files := 0
			for _, m := range found {
				files += len(m.Files)
				if m.Rows == 0 || m.MinTime.Format(time.DateOnly) != m.Day || m.MaxTime.Before(m.MinTime) {
					t.Errorf("%s of %s: %d rows from %s to %s", m.Day, m.Table, m.Rows, m.MinTime, m.MaxTime)
				}
			}
			if size != 0 && files < 2*len(found) || size == 0 && files != len(found) {
				t.Errorf("%d files in %d days of tables", files, len(found))
			}
			if back := w.restoreAll(t); back != 0 {
				t.Errorf("restoring what is there added %d rows", back)
			}
			w.want(t, before)
			w.dropAll(t)
			if back := w.restoreAll(t); back != rows {
				t.Errorf("%d rows came back, %d were archived", back, rows)
			}
			w.want(t, before)
			if back := w.restoreAll(t); back != 0 {
				t.Errorf("restoring again added %d rows", back)
			}
			w.want(t, before)
			w.leftovers(t)
		})
	}
}

// TestRestoredCallsAreFound asks search and flow for a call of a restored day.
func TestRestoredCallsAreFound(t *testing.T) {
	w := open(t, 0)
	store, err := query.Open(t.Context(), query.Options{URL: w.lake.URL})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	look := func() (query.CallsResult, *query.Flow) {
		t.Helper()
		calls, err := store.Calls(t.Context(), query.CallsRequest{Filter: "method = INVITE", From: w.lake.From, To: w.lake.To})
		if err != nil || len(calls.Calls) == 0 {
			t.Fatalf("%d calls, %v", len(calls.Calls), err)
		}
		flow, err := store.Flow(t.Context(), query.FlowRequest{ID: calls.Calls[0].CallIDs[0], From: w.lake.From, To: w.lake.To, Media: true, Events: true})
		if err != nil {
			t.Fatal(err)
		}
		return calls, flow
	}
	calls, flow := look()
	w.putAll(t)
	w.dropAll(t)
	for _, table := range []string{"leg_digests", "ids", "users"} { // kept for days only, or as long as messages
		w.exec(t, "TRUNCATE TABLE "+table)
	}
	if gone, err := store.Calls(t.Context(), query.CallsRequest{From: w.lake.From, To: w.lake.To}); err != nil || len(gone.Calls) != 0 {
		t.Fatalf("%d calls of a day that is gone, %v", len(gone.Calls), err)
	}
	w.restoreAll(t)
	again, flowAgain := look()
	if len(again.Calls) != len(calls.Calls) || again.Calls[0].CorrelationID != calls.Calls[0].CorrelationID || again.Calls[0].Outcome != calls.Calls[0].Outcome {
		t.Errorf("%d calls, there were %d", len(again.Calls), len(calls.Calls))
	}
	byID, err := store.Calls(t.Context(), query.CallsRequest{Filter: "call_id = " + strconv.Quote(calls.Calls[0].CallIDs[0]), From: w.lake.From, To: w.lake.To})
	if err != nil || len(byID.Calls) != 1 {
		t.Errorf("%d calls by their Call-ID, %v", len(byID.Calls), err)
	}
	byUser, err := store.Calls(t.Context(), query.CallsRequest{Filter: "from_user = " + strconv.Quote(calls.Calls[0].FromUser), From: w.lake.From.Add(-24 * time.Hour), To: w.lake.To})
	if err != nil || !slices.ContainsFunc(byUser.Calls, func(c query.Call) bool { return c.CorrelationID == calls.Calls[0].CorrelationID }) {
		t.Errorf("%d calls of the user %q, not the one there was, %v", len(byUser.Calls), calls.Calls[0].FromUser, err)
	}
	type row struct {
		Rows uint64 `json:"rows,string"`
	}
	for _, table := range []string{"ids", "users"} {
		if stay, err := one[row](t.Context(), w.Archive, "SELECT countIf(stays > now()) AS rows FROM "+table); err != nil || stay.Rows == 0 {
			t.Errorf("table %s would lose the restored day: %d rows stay, %v", table, stay.Rows, err)
		}
	}
	if len(flowAgain.Items) != len(flow.Items) {
		t.Fatalf("a flow of %d items, there were %d", len(flowAgain.Items), len(flow.Items))
	}
	for i := range flow.Items {
		if !bytes.Equal(flow.Items[i].RawBytes, flowAgain.Items[i].RawBytes) {
			t.Errorf("item %d differs", i)
		}
	}
}

// TestLateRows: rows that come after a day was archived are archived, too, also
// when others were deleted meanwhile; and what was deleted comes back.
func TestLateRows(t *testing.T) {
	w := open(t, 20<<10)
	day := w.days[0]
	if _, err := w.Put(t.Context(), "events", day); err != nil {
		t.Fatal(err)
	}
	late := "INSERT INTO events (time, tenant, body) SELECT (SELECT min(time) FROM events) + toIntervalSecond(number), 'late', toString(number) FROM numbers(7)"
	w.exec(t, late)
	before := w.content(t, "events")
	w.exec(t, "ALTER TABLE events DELETE WHERE tenant = 'acme' AND endsWith(body, '3') SETTINGS mutations_sync = 2")
	r, err := w.Put(t.Context(), "events", day)
	if err != nil || r.Rows != 7 {
		t.Fatalf("%d late rows were archived, not 7: %v", r.Rows, err)
	}
	if r, err = w.Put(t.Context(), "events", day); err != nil || r.Rows != 0 {
		t.Fatalf("%d rows were archived again: %v", r.Rows, err)
	}
	if found, err := w.List(t.Context(), "events"); err != nil || len(found) != 2 || found[1].Generation != 2 || found[1].Rows != 7 {
		t.Fatalf("%+v, %v", found, err)
	}
	// Some are gone, then all: both times the day comes back whole.
	for _, sql := range []string{"", "TRUNCATE TABLE events"} {
		if sql != "" {
			w.exec(t, sql)
		}
		if _, err := w.Restore(t.Context(), RestoreRequest{Table: "events", Day: day}); err != nil {
			t.Fatal(err)
		}
		if got := w.content(t, "events"); !bytes.Equal(got, before) {
			t.Errorf("after %q the day is not as it was", sql)
		}
	}
	w.leftovers(t)
}

// TestRestoredDaysStay wants retention to be refused a restored day until its time
// is up or it is given back.
func TestRestoredDaysStay(t *testing.T) {
	w := open(t, 0)
	day := w.days[0]
	if err := w.Archive.Archive(t.Context(), "sip", day); err != nil {
		t.Fatal(err)
	}
	w.exec(t, "ALTER TABLE sip DROP PARTITION '"+day+"'")
	if _, err := w.Restore(t.Context(), RestoreRequest{Table: "sip", Day: day, Stay: time.Hour}); err != nil {
		t.Fatal(err)
	}
	if err := w.Archive.Archive(t.Context(), "sip", day); !errors.Is(err, ErrRestored) {
		t.Fatalf("%v, want a refusal", err)
	}
	if err := w.Archive.Archive(t.Context(), "media", day); err != nil {
		t.Fatalf("another table: %v", err)
	}
	stays, err := w.Stays(t.Context())
	if err != nil || len(stays) != 1 || stays[0].Day != day || time.Until(stays[0].Until) > time.Hour || time.Until(stays[0].Until) < 50*time.Minute || stays[0].Rows == 0 {
		t.Fatalf("%+v, %v", stays, err)
	}
	if back, err := w.GiveBack(t.Context(), "sip", day); err != nil || !back {
		t.Fatalf("%v, %v", back, err)
	}
	if back, err := w.GiveBack(t.Context(), "sip", day); err != nil || back {
		t.Fatalf("given back twice: %v, %v", back, err)
	}
	if err := w.Archive.Archive(t.Context(), "sip", day); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Restore(t.Context(), RestoreRequest{Table: "sip", Day: day, Stay: time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	time.Sleep(10 * time.Millisecond)
	if err := w.Archive.Archive(t.Context(), "sip", day); err != nil {
		t.Fatalf("its time is up: %v", err)
	}
}

// TestIntoAnotherTable restores beside the table, and twice.
func TestIntoAnotherTable(t *testing.T) {
	w := open(t, 20<<10)
	for _, table := range []string{"sip", "call_rows"} {
		before := w.content(t, table)
		for _, day := range w.over(t, table) {
			if _, err := w.Put(t.Context(), table, day); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if _, err := w.Restore(t.Context(), RestoreRequest{Table: table, Day: day, Into: table + "_again"}); err != nil {
					t.Fatal(err)
				}
			}
		}
		if got := w.content(t, table+"_again"); !bytes.Equal(got, before) {
			t.Errorf("%s_again is not %s", table, table)
		}
	}
	if stays, err := w.Stays(t.Context()); err != nil || len(stays) != 0 {
		t.Errorf("%+v, %v", stays, err)
	}
	if _, err := w.Restore(t.Context(), RestoreRequest{Table: "sip", Day: w.days[0], Into: "a`; DROP TABLE sip"}); err == nil {
		t.Error("a name that is none was taken")
	}
}

// TestExpiredDaysAreNotRestoredInVain: a table's own TTL would drop the rows.
func TestExpiredDaysAreNotRestoredInVain(t *testing.T) {
	w := open(t, 0)
	w.exec(t, "TRUNCATE TABLE events")
	w.exec(t, "ALTER TABLE events REMOVE TTL")
	w.exec(t, "INSERT INTO events (time, body) SELECT now64(6) - toIntervalDay(200), 'old'")
	day := time.Now().UTC().AddDate(0, 0, -200).Format(time.DateOnly)
	before := w.content(t, "events")
	if _, err := w.Put(t.Context(), "events", day); err != nil {
		t.Fatal(err)
	}
	w.exec(t, "TRUNCATE TABLE events")
	w.exec(t, "ALTER TABLE events MODIFY TTL toDateTime(time) + toIntervalDay(90)")
	if _, err := w.Restore(t.Context(), RestoreRequest{Table: "events", Day: day}); !errors.Is(err, ErrExpires) || !strings.Contains(err.Error(), "archive.dir") {
		t.Fatalf("%v", err)
	}
	w.exec(t, "ALTER TABLE events REMOVE TTL")
	if _, err := w.Restore(t.Context(), RestoreRequest{Table: "events", Day: day}); err != nil {
		t.Fatal(err)
	}
	w.exec(t, "OPTIMIZE TABLE events FINAL")
	if got := w.content(t, "events"); !bytes.Equal(got, before) {
		t.Error("the day is not as it was")
	}
}

func TestDamageIsRefused(t *testing.T) {
	w := open(t, 0)
	day := w.days[0]
	if _, err := w.Put(t.Context(), "sip", day); err != nil {
		t.Fatal(err)
	}
	found, err := w.List(t.Context(), "sip")
	if err != nil {
		t.Fatal(err)
	}
	path := found[0].Path(found[0].Files[0])
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	manifest := filepath.Join(filepath.Dir(path), manifestName)
	text, err := os.ReadFile(manifest)
	if err != nil {
		t.Fatal(err)
	}
	w.exec(t, "TRUNCATE TABLE sip")
	flipped := bytes.Clone(whole)
	flipped[len(flipped)/2] ^= 1
	for _, test := range []struct {
		name, path string
		content    []byte
		want       string
	}{
		{"a bit", path, flipped, "SHA-256"},
		{"its end", path, whole[:len(whole)-1], "bytes, and had"},
		{"the file", path, nil, "no such file"},
		{"the manifest", manifest, text[:len(text)/2], manifestName},
		{"another table's", manifest, bytes.Replace(text, []byte(`"table": "sip"`), []byte(`"table": "media"`), 1), "table media"},
		{"fewer rows", manifest, bytes.Replace(text, []byte(`"rows": `), []byte(`"rows": 1`), 1), "rows"},
		{"a later version", manifest, bytes.Replace(text, []byte(`"version": 1`), []byte(`"version": 2`), 1), "version 2"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.content == nil {
				if err := os.Remove(test.path); err != nil {
					t.Fatal(err)
				}
			} else if err := os.WriteFile(test.path, test.content, 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := w.Restore(t.Context(), RestoreRequest{Table: "sip", Day: day})
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), filepath.Dir(path)) {
				t.Errorf("%v, want %q and the path", err, test.want)
			}
			if test.name != "a later version" && !errors.Is(err, ErrDamaged) {
				t.Errorf("%v is not ErrDamaged", err)
			}
			if n := len(w.content(t, "sip")); n != 0 {
				t.Errorf("%d bytes of rows came back", n)
			}
			for p, b := range map[string][]byte{path: whole, manifest: text} {
				if err := os.WriteFile(p, b, 0o600); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
	if _, err := w.Restore(t.Context(), RestoreRequest{Table: "sip", Day: day}); err != nil {
		t.Errorf("mended: %v", err)
	}
}

func TestOneAtATime(t *testing.T) {
	w := open(t, 0)
	unlock, err := w.store.lock("sip", w.days[0])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Put(t.Context(), "sip", w.days[0]); !errors.Is(err, ErrBusy) {
		t.Errorf("%v, want ErrBusy", err)
	}
	unlock()
	if _, err := w.Put(t.Context(), "sip", w.days[0]); err != nil {
		t.Error(err)
	}
}

func TestMetrics(t *testing.T) {
	w := open(t, 0)
	reg := prometheus.NewRegistry()
	reg.MustRegister(w.Archive)
	value := func(name, label string) float64 {
		t.Helper()
		families, err := reg.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			for _, m := range f.GetMetric() {
				if f.GetName() == name && m.GetLabel()[0].GetValue() == label {
					return m.GetCounter().GetValue() + m.GetGauge().GetValue()
				}
			}
		}
		t.Fatalf("there is no %s of %s", name, label)
		return 0
	}
	w.exec(t, "INSERT INTO events (time) SELECT now64(6) - toIntervalDay(3)")
	if err := w.look(t.Context()); err != nil {
		t.Fatal(err)
	}
	if age := value("heplake_archive_oldest_seconds", "events"); age < 2*86400 || age > 3*86400 {
		t.Errorf("the oldest day is %g s old", age)
	}
	for _, day := range w.over(t, "events") {
		if _, err := w.Put(t.Context(), "events", day); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.look(t.Context()); err != nil {
		t.Fatal(err)
	}
	if age := value("heplake_archive_oldest_seconds", "events"); age != 0 {
		t.Errorf("all is archived, and the oldest day is %g s old", age)
	}
	if value("heplake_archived_rows_total", "events") < 501 || value("heplake_archived_bytes_total", "events") < 1000 || value("heplake_archived_files_total", "events") < 2 {
		t.Error("what was archived is not counted")
	}
	unlock, err := w.store.lock("sip", w.days[0])
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	_, _ = w.Put(t.Context(), "sip", w.days[0])
	if n := value("heplake_archive_failures_total", "busy"); n != 1 {
		t.Errorf("%g failures", n)
	}
}
