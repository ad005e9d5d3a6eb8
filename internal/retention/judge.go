package retention

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/heplake/heplake/schema"
)

// What is done to a day of a table.
const (
	// Drop: nothing of it stays. ClickHouse removes its parts and reads none.
	Drop = "drop"
	// Delete: some rows go. ClickHouse writes the others anew.
	Delete = "delete"
	// Nothing: no row goes, for now.
	Nothing = "nothing"
)

// Action is what is to be done to one day of a table.
type Action struct {
	Table string
	Day   time.Time
	// Kind is Drop, Delete or Nothing.
	Kind string
	// Where is the condition for the rows to delete.
	Where string
	// Rows go, of which Bytes is the share of the disk by their number; Left stay,
	// Held of them because of a hold alone.
	Rows, Bytes, Left, Held uint64
	// ByRule says how many rows each rule lets go; the table's own days have an
	// empty name.
	ByRule []RuleRows

	judged uint64
	// where is Where with the calls of each class taken from elsewhere; classes are
	// those that ask for calls, day judge's.
	where   func(callIDs func(class int) string) string
	callIDs func(class int) string
	asking  []int
}

// RuleRows are rows that a rule lets go.
type RuleRows struct {
	Rule string
	Rows uint64
}

// partition is the day as ClickHouse names it.
func partition(day time.Time) string { return day.UTC().Format(time.DateOnly) }

// judge says what is to be done.
type judge struct {
	db     driver.Conn
	o      schema.Options
	policy Policy
	held   held
	now    time.Time
	// done are the days that were judged before, restored those that came back out
	// of the archive and stay for a while.
	done     map[dayOf]verdict
	restored map[dayOf]bool
}

type dayOf struct {
	table string
	day   time.Time
}

// verdict is what the log says of a day: the condition's hash, and how many rows
// were left.
type verdict struct{ judged, left uint64 }

// Plan says what the keeper would do now, in order.
func Plan(ctx context.Context, db driver.Conn, o schema.Options, h *Holdings) ([]Action, error) {
	ctx = spread(ctx, o)
	j, err := newJudge(ctx, db, o, h)
	if err != nil {
		return nil, err
	}
	var out []Action
	for i := range h.Tables {
		for _, parts := range h.Tables[i].days() {
			a, err := j.day(ctx, tableNamed(h.Tables[i].Name), parts)
			if err != nil {
				return nil, err
			}
			if a != nil && a.Kind != Nothing {
				out = append(out, *a)
			}
		}
	}
	return out, nil
}

func newJudge(ctx context.Context, db driver.Conn, o schema.Options, h *Holdings) (*judge, error) {
	if err := h.Policy.onCluster(o); err != nil {
		return nil, err
	}
	j := &judge{db: db, o: o, policy: h.Policy, now: h.Now}
	var err error
	if j.held, err = readHeld(ctx, db, o); err != nil {
		return nil, err
	}
	if j.done, err = readLog(ctx, db, o); err != nil {
		return nil, err
	}
	j.restored, err = readRestored(ctx, db, o)
	return j, err
}

// days are the table's parts by day, oldest first.
func (t *Table) days() [][]Part {
	var out [][]Part
	for _, p := range t.Parts {
		if n := len(out); n > 0 && out[n-1][0].Day.Equal(p.Day) {
			out[n-1] = append(out[n-1], p)
		} else {
			out = append(out, []Part{p})
		}
	}
	return out
}

// day judges one day of a table, given its parts; nil when nothing is due, or was
// judged before and has not changed.
func (j *judge) day(ctx context.Context, t *schema.Table, parts []Part) (*Action, error) {
	if len(j.due(t, newestOf(parts))) == 0 || j.restored[dayOf{t.Name, parts[0].Day.UTC()}] {
		return nil, nil
	}
	newest, err := j.newest(ctx, t, parts)
	if err != nil {
		return nil, err
	}
	due := j.due(t, newest)
	if len(due) == 0 {
		return nil, nil
	}
	return j.judge(ctx, t, parts, due)
}

// due lists the classes whose rows have been kept long enough, if the newest is
// so old.
func (j *judge) due(t *schema.Table, newest time.Time) []int {
	var out []int
	for _, class := range j.policy.classes(t) {
		if expired(newest, j.policy.days(t, class), j.now) {
			out = append(out, class)
		}
	}
	return out
}

func newestOf(parts []Part) (newest time.Time) {
	for _, p := range parts {
		if p.Newest.After(newest) {
			newest = p.Newest
		}
	}
	return newest
}

// newest is when the newest row of a day was, for the purpose of its end. A call's
// row stays until the day of the call's last message is judged: by the row it is
// known which rule that message is of. The quality reports that end a call come
// after the message.
func (j *judge) newest(ctx context.Context, t *schema.Table, parts []Part) (newest time.Time, err error) {
	if t != &schema.CallRows {
		return newestOf(parts), nil
	}
	err = j.db.QueryRow(ctx, "SELECT max(last_seen) FROM "+qualified(j.o, t.Name)+" WHERE "+onDay(t, parts[0].Day)).Scan(&newest)
	if err != nil {
		return newest, fmt.Errorf("retention: ask how long the calls of %s went on: %w", partition(parts[0].Day), err)
	}
	return newest.UTC().Add(time.Hour).Truncate(24*time.Hour).AddDate(0, 0, 1), nil
}

// judge says what becomes of a day when the rows of these classes go.
func (j *judge) judge(ctx context.Context, t *schema.Table, parts []Part, due []int) (*Action, error) {
	day := parts[0].Day.UTC()
	a := &Action{Table: t.Name, Day: day, Kind: Nothing}
	var rows, bytes uint64
	for _, p := range parts {
		rows, bytes = rows+p.Rows, bytes+p.Bytes
	}
	all := len(due) == len(j.policy.classes(t))
	held := j.held.condition(t)
	a.where = func(callIDs func(int) string) string {
		where := "1"
		if !all {
			where = j.policy.classSQL(t, callIDs) + " IN (" + ints(due) + ")"
		}
		if held != "" {
			where = "(" + where + ") AND NOT (" + held + ")"
		}
		return where
	}
	a.callIDs = j.callIDs(day)
	if !all {
		a.asking = j.policy.asking(t)
	}
	a.Where = a.where(a.callIDs)
	a.judged = hash(a.Where)
	if j.done[dayOf{t.Name, day}] == (verdict{a.judged, rows}) {
		return nil, nil
	}
	if all && held == "" {
		a.Kind, a.Rows, a.Bytes, a.ByRule = Drop, rows, bytes, []RuleRows{{Rows: rows}}
		return a, nil
	}
	shares, err := j.shares(ctx, t, day)
	if err != nil {
		return nil, err
	}
	for _, s := range shares {
		switch {
		case !slices.Contains(due, s.Class):
			a.Left += s.Rows
		case s.Held:
			a.Left, a.Held = a.Left+s.Rows, a.Held+s.Rows
		default:
			a.Rows += s.Rows
			a.ByRule = append(a.ByRule, RuleRows{j.policy.ruleName(s.Class), s.Rows})
		}
	}
	switch {
	case a.Rows == 0:
	case a.Left == 0:
		a.Kind, a.Bytes = Drop, bytes
	default:
		a.Kind, a.Bytes = Delete, uint64(float64(bytes)*float64(a.Rows)/float64(a.Rows+a.Left))
	}
	return a, nil
}

// callIDs gives the SELECT of a day's calls that a rule is about.
func (j *judge) callIDs(day time.Time) func(class int) string {
	return func(class int) string { return j.policy.Rules[class-1].callIDs(j.o, day) }
}

// shares counts a day's rows by class.
func (j *judge) shares(ctx context.Context, t *schema.Table, day time.Time) ([]Share, error) {
	held, final := j.held.condition(t), ""
	if held == "" {
		held = "0"
	}
	if replaces(t) {
		final = " FINAL"
	}
	rows, err := j.db.Query(ctx, "SELECT toUInt32("+j.policy.classSQL(t, j.callIDs(day))+") AS class, toUInt8("+held+") AS held, count() FROM "+
		qualified(j.o, t.Name)+final+" WHERE "+onDay(t, day)+" GROUP BY class, held ORDER BY class, held")
	if err != nil {
		return nil, fmt.Errorf("retention: count the rows of %s on %s by rule: %w", t.Name, partition(day), err)
	}
	defer func() { _ = rows.Close() }()
	var out []Share
	for rows.Next() {
		var s Share
		var class uint32
		var isHeld uint8
		if err := rows.Scan(&class, &isHeld, &s.Rows); err != nil {
			return nil, fmt.Errorf("retention: count the rows of %s on %s by rule: %w", t.Name, partition(day), err)
		}
		s.Class, s.Held = int(class), isHeld == 1
		out = append(out, s)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("retention: count the rows of %s on %s by rule: %w", t.Name, partition(day), err)
	}
	return out, nil
}

// Classify counts the rows of every day by rule. Where there are neither rules nor
// holds there is nothing to count. It reads the columns that rules ask for, of
// every row.
func (h *Holdings) Classify(ctx context.Context, db driver.Conn, o schema.Options) error {
	ctx = spread(ctx, o)
	j, err := newJudge(ctx, db, o, h)
	if err != nil {
		return err
	}
	for i := range h.Tables {
		t := &h.Tables[i]
		declared := tableNamed(t.Name)
		t.Shares = map[time.Time][]Share{}
		if len(j.policy.classes(declared)) == 1 && j.held.condition(declared) == "" {
			continue
		}
		for _, parts := range t.days() {
			day := parts[0].Day.UTC()
			if t.Shares[day], err = j.shares(ctx, declared, day); err != nil {
				return err
			}
		}
	}
	return nil
}

// onDay is the condition for the rows of a partition.
func onDay(t *schema.Table, day time.Time) string {
	return t.PartitionBy + " = toDate(" + schema.Quote(partition(day)) + ")"
}

// replaces tells whether older versions of rows may lie beside the newest.
func replaces(t *schema.Table) bool { return strings.HasPrefix(t.Engine, "ReplacingMergeTree") }

func hash(s string) uint64 {
	sum := sha256.Sum256([]byte(s))
	return binary.BigEndian.Uint64(sum[:])
}

func ints(values []int) string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = strconv.Itoa(v)
	}
	return strings.Join(out, ", ")
}
