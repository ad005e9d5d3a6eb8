package schema_test

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/heplake/heplake/internal/chtest"
	"github.com/heplake/heplake/schema"
)

func TestMain(m *testing.M) { chtest.Main(m) }

// tables creates the tables and views in a database of the test's own.
func tables(t *testing.T) driver.Conn {
	t.Helper()
	address := chtest.Database(t)
	db := chtest.Dial(t, address)
	o := schema.Options{Database: chtest.Name(t, address)}
	for _, table := range slices.Concat(schema.Tables(), schema.Derived()) {
		exec(t, db, table.CreateSQL(o))
	}
	for _, feed := range schema.Feeds() {
		exec(t, db, feed.CreateSQL(o))
	}
	for range 2 { // creating them again must do
		for _, view := range schema.Views() {
			exec(t, db, view.CreateSQL(o))
		}
	}
	return db
}

// computed stands for the dialogs that CallsQuery computes of all messages.
var computed = "(" + schema.CallsQuery{SIP: "sip", Media: "media"}.SQL() + ")"

func exec(t *testing.T, db driver.Conn, sql string) {
	t.Helper()
	if err := db.Exec(t.Context(), sql); err != nil {
		t.Fatalf("%v\n%s", err, sql)
	}
}

var base = time.Date(2026, 11, 20, 23, 59, 59, 0, time.UTC)

// insert adds messages of a Call-ID, one a line:
//
//	time-in-ms src>dst METHOD           cseq branch [to-tag] [from-tag]
//	time-in-ms src>dst status/METHOD    cseq branch [to-tag] [from-tag]
//
// "-" is an empty word; the From tag is "from" when not given. Addresses are the
// last number of 10.0.0.x.
func insert(t *testing.T, db driver.Conn, start time.Time, correlation, callID, script string) {
	t.Helper()
	batch, err := db.PrepareBatch(t.Context(), `INSERT INTO sip (time, tenant, node, correlation_id, own_call_id, src_ip, src_port, dst_ip, dst_port,
		method, status, reason, cseq, cseq_method, own_branch, to_tag, from_tag, from_user, to_user, ruri_user)`)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(strings.TrimSpace(script), "\n") {
		w := strings.Fields(line)
		w = append(w, []string{"-", "from"}[min(2, len(w)-5):]...)
		for i := range w {
			if w[i] == "-" {
				w[i] = ""
			}
		}
		src, dst, _ := strings.Cut(w[1], ">")
		node := ""
		dst, node, _ = strings.Cut(dst, "@")
		method, cseqMethod, status, ruri := w[2], w[2], 0, "bob"
		if code, of, ok := strings.Cut(w[2], "/"); ok {
			status, _ = strconv.Atoi(code)
			method, cseqMethod, ruri = "", of, ""
		}
		ms, _ := strconv.ParseFloat(w[0], 64)
		cseq, _ := strconv.Atoi(w[3])
		err := batch.Append(start.Add(time.Duration(ms*1e6)), "t", node, correlation, callID, "10.0.0."+src, uint16(5060), "10.0.0."+dst, uint16(5060),
			method, uint16(status), "r"+strconv.Itoa(status), uint32(cseq), cseqMethod, w[4], w[5], w[6], "alice", "bob", ruri)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
	}
	if err := batch.Send(); err != nil {
		t.Fatal(err)
	}
}

// TestCalls checks the rows of dialogs of every kind. Each begins a second
// before midnight, so that most go over a partition's border.
func TestCalls(t *testing.T) {
	now := time.Now().UTC()
	db := tables(t)
	for name, c := range map[string]struct {
		script string
		start  time.Time
		want   string // outcome, method, final status, released by, answer and end in ms, messages, retransmissions, hops
	}{
		"answered": {script: `
			0    1>2 INVITE     1 b1
			2    2>1 100/INVITE 1 b1
			100  2>1 180/INVITE 1 b1 to
			2000 2>1 200/INVITE 1 b1 to
			2001 1>2 ACK        1 b2 to
			9000 1>2 BYE        2 b3 to
			9001 2>1 200/BYE    2 b3 to`,
			want: "answered INVITE 200 caller 2000 9000 7 0 1"},
		"the callee hangs up": {script: `
			0    1>2 INVITE     1 b1
			2000 2>1 200/INVITE 1 b1 to
			2001 1>2 ACK        1 b2 to
			9000 2>1 BYE        1 b3 from to
			9001 1>2 200/BYE    1 b3 from to`,
			want: "answered INVITE 200 callee 2000 9000 5 0 1"},
		"a re-INVITE fails": {script: `
			0    1>2 INVITE     1 b1
			500  2>1 200/INVITE 1 b1 to
			501  1>2 ACK        1 b2 to
			5000 1>2 INVITE     2 b3 to
			5001 2>1 488/INVITE 2 b3 to
			5002 1>2 ACK        2 b3 to
			9000 1>2 BYE        3 b4 to
			9001 2>1 200/BYE    3 b4 to`,
			want: "answered INVITE 200 caller 500 9000 8 0 1"},
		"the callee's re-INVITE has the first one's CSeq and fails": {script: `
			0    1>2 INVITE     1 b1
			500  2>1 200/INVITE 1 b1 to
			501  1>2 ACK        1 b2 to
			5000 2>1 INVITE     1 b3 from to
			5001 1>2 491/INVITE 1 b3 from to
			5002 2>1 ACK        1 b3 from to
			9000 1>2 BYE        3 b4 to`,
			want: "answered INVITE 200 caller 500 9000 7 0 1"},
		"challenged, then answered": {script: `
			0    1>2 INVITE     1 b1
			1    2>1 407/INVITE 1 b1 p
			2    1>2 ACK        1 b1 p
			5    1>2 INVITE     2 b2
			500  2>1 180/INVITE 2 b2 to
			700  2>1 200/INVITE 2 b2 to
			701  1>2 ACK        2 b3 to
			9000 1>2 BYE        3 b4 to`,
			want: "answered INVITE 200 caller 700 9000 8 0 1"},
		"challenged, then refused": {script: `
			0    1>2 INVITE     1 b1
			1    2>1 401/INVITE 1 b1 p
			2    1>2 ACK        1 b1 p
			5    1>2 INVITE     2 b2
			500  2>1 603/INVITE 2 b2 to
			501  1>2 ACK        2 b2 to`,
			want: "failed INVITE 603 callee - 500 6 0 1"},
		"challenged, and that was it": {script: `
			0    1>2 INVITE     1 b1
			1    2>1 407/INVITE 1 b1 p
			2    1>2 ACK        1 b1 p`,
			want: "failed INVITE 407 network - 1 3 0 1"},
		"challenged, and then nothing": {script: `
			0    1>2 INVITE     1 b1
			1    2>1 407/INVITE 1 b1 p
			2    1>2 ACK        1 b1 p
			5    1>2 INVITE     2 b2`,
			want: "unanswered INVITE 0 - - - 4 0 1"},
		"cancelled": {script: `
			0    1>2 INVITE     1 b1
			10   2>3 INVITE     1 b2
			100  3>2 180/INVITE 1 b2 to
			101  2>1 180/INVITE 1 b1 to
			5000 1>2 CANCEL     1 b1
			5001 2>1 200/CANCEL 1 b1
			5002 2>3 CANCEL     1 b2
			5003 3>2 200/CANCEL 1 b2
			5004 3>2 487/INVITE 1 b2 to
			5005 2>3 ACK        1 b2 to
			5006 2>1 487/INVITE 1 b1 to
			5007 1>2 ACK        1 b1 to`,
			want: "cancelled INVITE 487 caller - 5006 12 0 2"},
		"cancelled, the final response not seen": {script: `
			0    1>2 INVITE     1 b1
			5000 1>2 CANCEL     1 b1
			5001 2>1 200/CANCEL 1 b1`,
			want: "cancelled INVITE 0 caller - - 3 0 1"},
		"forked: one busy, one answers, the third is cancelled by the proxy": {script: `
			0    1>2 INVITE     1 b1
			10   2>3 INVITE     1 b2
			11   2>4 INVITE     1 b3
			12   2>5 INVITE     1 b4
			100  3>2 486/INVITE 1 b2 t3
			101  2>3 ACK        1 b2 t3
			300  4>2 200/INVITE 1 b3 t4
			301  2>1 200/INVITE 1 b1 t4
			302  2>5 CANCEL     1 b4
			303  5>2 487/INVITE 1 b4 t5
			304  1>2 ACK        1 b5 t4
			9000 1>2 BYE        2 b6 t4`,
			want: "answered INVITE 200 caller 301 9000 12 0 4"},
		"forked: one declines for all, the proxy cancels the rest": {script: `
			0    1>2 INVITE     1 b1
			10   2>3 INVITE     1 b2
			11   2>4 INVITE     1 b3
			300  3>2 603/INVITE 1 b2 t3
			301  2>4 CANCEL     1 b3
			302  4>2 487/INVITE 1 b3 t4
			303  2>1 603/INVITE 1 b1 t3`,
			want: "failed INVITE 603 callee - 303 7 0 3"},
		"the proxy gives up": {script: `
			0    1>2 INVITE     1 b1
			10   2>3 INVITE     1 b2
			3000 2>1 408/INVITE 1 b1 p`,
			want: "failed INVITE 408 network - 3000 3 0 2"},
		"redirected, and the new address answers": {script: `
			0    1>2 INVITE     1 b1
			10   2>1 302/INVITE 1 b1 p
			11   1>2 ACK        1 b1 p
			20   1>3 INVITE     2 b2
			500  3>1 200/INVITE 2 b2 to
			9000 1>3 BYE        3 b3 to`,
			want: "answered INVITE 200 caller 500 9000 6 0 2"},
		"redirected to nowhere": {script: `
			0    1>2 INVITE     1 b1
			10   2>1 302/INVITE 1 b1 p`,
			want: "failed INVITE 302 callee - 10 2 0 1"},
		"no answer at all, sent again": {script: `
			0    1>2 INVITE     1 b1
			500  1>2 INVITE     1 b1
			1500 1>2 INVITE     1 b1`,
			want: "unanswered INVITE 0 - - - 3 2 1"},
		"ringing now": {start: now.Add(-20 * time.Second), script: `
			0    1>2 INVITE     1 b1
			500  2>1 180/INVITE 1 b1 to`,
			want: "in_progress INVITE 0 - - - 2 0 1"},
		"rang long ago": {start: now.Add(-4 * time.Minute), script: `
			0    1>2 INVITE     1 b1
			500  2>1 180/INVITE 1 b1 to`,
			want: "unanswered INVITE 0 - - - 2 0 1"},
		"talking": {script: `
			0    1>2 INVITE     1 b1
			500  2>1 200/INVITE 1 b1 to
			501  1>2 ACK        1 b2 to`,
			want: "in_progress INVITE 200 - 500 - 3 0 1"},
		"everything sent twice": {script: `
			0    1>2 INVITE     1 b1
			500  1>2 INVITE     1 b1
			600  2>1 200/INVITE 1 b1 to
			1100 2>1 200/INVITE 1 b1 to
			1101 1>2 ACK        1 b2 to
			9000 1>2 BYE        2 b3 to
			9500 1>2 BYE        2 b3 to
			9501 2>1 200/BYE    2 b3 to`,
			want: "answered INVITE 200 caller 600 9000 8 3 1"},
		"seen by two agents": {script: `
			0    1>2@a INVITE     1 b1
			0.2  1>2@b INVITE     1 b1
			600  2>1@b 486/INVITE 1 b1 to
			601  2>1@a 486/INVITE 1 b1 to`,
			want: "failed INVITE 486 callee - 600 4 0 1"},
		"the relayed INVITE is reported after its answer": {script: `
			0    1>2 INVITE     1 b1
			9    3>2 100/INVITE 1 b2
			10   2>3 INVITE     1 b2
			500  3>2 404/INVITE 1 b2 to
			501  2>1 404/INVITE 1 b1 to`,
			want: "failed INVITE 404 callee - 501 5 0 2"},
		"PRACK and early media": {script: `
			0    1>2 INVITE     1 b1
			100  2>1 183/INVITE 1 b1 to
			101  1>2 PRACK      2 b2 to
			102  2>1 200/PRACK  2 b2 to
			500  2>1 200/INVITE 1 b1 to
			9000 1>2 BYE        3 b3 to`,
			want: "answered INVITE 200 caller 500 9000 6 0 1"},
		"a response without Via reaches the caller": {script: `
			0    1>2 INVITE     1 b1
			10   2>3 INVITE     1 b2
			100  3>2 486/INVITE 1 b2 to
			101  2>1 486/INVITE 1 - to`,
			want: "failed INVITE 486 callee - 101 4 0 2"},
		"registration": {script: `
			0    1>2 REGISTER     1 b1
			1    2>1 401/REGISTER 1 b1 p
			2    1>2 REGISTER     2 b2
			3    2>1 200/REGISTER 2 b2 p`,
			want: "answered REGISTER 200 - 3 - 4 0 1"},
		"registration with a wrong password": {script: `
			0    1>2 REGISTER     1 b1
			1    2>1 401/REGISTER 1 b1 p
			2    1>2 REGISTER     2 b2
			3    2>1 403/REGISTER 2 b2 p`,
			want: "failed REGISTER 403 - - 3 4 0 1"},
		"only responses": {script: `
			0    2>1 180/INVITE 1 b1 to
			100  2>1 486/INVITE 1 b1 to`,
			want: "failed INVITE 486 callee - 100 2 0 0"},
	} {
		t.Run(name, func(t *testing.T) {
			start := base
			if !c.start.IsZero() {
				start = c.start
			}
			insert(t, db, start, name, name, c.script)
			if got := callLine(t, db, name); got != c.want {
				t.Errorf("\n got %s\nwant %s", got, c.want)
			}
		})
	}
}

// callLine is the row of a call in the form of the tests' expectations.
func callLine(t *testing.T, db driver.Conn, correlation string) string {
	t.Helper()
	var s string
	err := db.QueryRow(t.Context(), `SELECT arrayStringConcat([outcome, method, toString(final_status), if(released_by = '', '-', released_by),
		ifNull(toString(dateDiff('millisecond', start, answer)), '-'), ifNull(toString(dateDiff('millisecond', start, end)), '-'),
		toString(messages), toString(retransmissions), toString(hops)], ' ') FROM `+computed+` WHERE correlation_id = $1`, correlation).Scan(&s)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestLegsMeet checks that the legs of a back-to-back user agent are one row,
// also where some messages of leg B know only their own Call-ID.
func TestLegsMeet(t *testing.T) {
	db := tables(t)
	insert(t, db, base, "leg-a", "leg-a", `
		0    1>2 INVITE     1 b1
		300  2>1 200/INVITE 1 b1 to
		9000 1>2 BYE        2 b3 to`)
	insert(t, db, base, "leg-a", "leg-b", `
		10   2>3 INVITE     1 c1 - other
		9010 2>3 BYE        2 c3 to other`)
	insert(t, db, base, "leg-b", "leg-b", `
		290  3>2 200/INVITE 1 c1 to other`)
	if got, want := callLine(t, db, "leg-a"), "answered INVITE 200 caller 300 9000 6 0 2"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	var rows uint64
	var legs []string
	if err := db.QueryRow(t.Context(), "SELECT count(), any(call_ids) FROM "+computed).Scan(&rows, &legs); err != nil {
		t.Fatal(err)
	}
	if rows != 1 || !reflect.DeepEqual(legs, []string{"leg-a", "leg-b"}) {
		t.Errorf("%d rows, legs %q", rows, legs)
	}
}

// TestQualityOfCalls checks what is taken from media: the sender report
// without report blocks says nothing of loss and jitter.
func TestQualityOfCalls(t *testing.T) {
	db := tables(t)
	insert(t, db, base, "c", "c", "0 1>2 INVITE 1 b1\n1 2>1 200/INVITE 1 b1 to")
	insert(t, db, base, "silent", "silent", "0 1>2 INVITE 1 b1")
	exec(t, db, `INSERT INTO media (time, tenant, correlation_id, call_id, source, report, ssrc, reporter, fraction_lost, jitter_ms, mos) VALUES
		('2026-11-21 00:00:05', 't', 'c', 'c', 'rtcp', 'sr', 1, 2, 0.10, 10, 4.0),
		('2026-11-21 00:00:10', 't', 'c', 'c', 'rtcp', 'sr', 1, 2, 0.30, 30, 3.0),
		('2026-11-21 00:00:11', 't', 'c', 'c', 'rtcp', 'sr', 2, 2, 0, 0, 0)`)
	var minimum, mean, loss, jitter *float64
	if err := db.QueryRow(t.Context(), "SELECT mos_min, mos_avg, round(loss_percent, 3), jitter_ms FROM "+computed+" WHERE correlation_id = 'c'").Scan(&minimum, &mean, &loss, &jitter); err != nil {
		t.Fatal(err)
	}
	if *minimum != 3 || *mean != 3.5 || *loss != 20 || *jitter != 20 {
		t.Errorf("mos %g/%g, loss %g, jitter %g", *minimum, *mean, *loss, *jitter)
	}
	if err := db.QueryRow(t.Context(), "SELECT mos_min, mos_avg, loss_percent, jitter_ms FROM "+computed+" WHERE correlation_id = 'silent'").Scan(&minimum, &mean, &loss, &jitter); err != nil {
		t.Fatal(err)
	}
	if minimum != nil || mean != nil || loss != nil || jitter != nil {
		t.Error("a call without reports has figures")
	}
}

// TestViewColumns checks that the view's columns are the declared ones.
func TestViewColumns(t *testing.T) {
	db := tables(t)
	for _, v := range schema.Views() {
		rows, err := db.Query(t.Context(), "SELECT name, type FROM system.columns WHERE database = currentDatabase() AND table = $1 ORDER BY position", v.Name)
		if err != nil {
			t.Fatal(err)
		}
		var got, want []string
		for rows.Next() {
			var name, sqlType string
			if err := rows.Scan(&name, &sqlType); err != nil {
				t.Fatal(err)
			}
			got = append(got, name+" "+family(sqlType))
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		for _, c := range v.Columns {
			want = append(want, c.Name+" "+family(c.SQLType()))
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("view %s has\n%s\ndeclared are\n%s", v.Name, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

// family is a type without what does not matter to a reader of the view.
func family(sqlType string) string {
	for _, f := range []string{"LowCardinality", "Nullable"} {
		if rest, ok := strings.CutPrefix(sqlType, f+"("); ok {
			return family(strings.TrimSuffix(rest, ")"))
		}
	}
	if inner, ok := strings.CutPrefix(sqlType, "Array("); ok {
		return fmt.Sprintf("Array(%s)", family(strings.TrimSuffix(inner, ")")))
	}
	switch sqlType {
	case "Float32":
		return "Float64"
	}
	return sqlType
}
