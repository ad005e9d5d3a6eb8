package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/dustin/go-humanize"

	"github.com/heplake/heplake/internal/config"
	"github.com/heplake/heplake/internal/retention"
)

// retentionReport is what heplake retention prints.
type retentionReport struct {
	Time   time.Time        `json:"time"`
	Tables []retentionTable `json:"tables"`
	// Rules says what each rule holds, where there are any.
	Rules []retentionRule `json:"rules,omitempty"`
	// TryRules are those of --try.
	TryRules []retentionRule     `json:"try_rules,omitempty"`
	Holds    int                 `json:"holds"`
	Drops    []retentionDrop     `json:"drops,omitempty"`
	Disks    []retentionDisk     `json:"disks"`
	Forecast []retentionForecast `json:"forecast"`
	// FullOn is the first forecast day on which the tables outgrow the disk.
	FullOn string `json:"full_on,omitempty"`
}

type retentionTable struct {
	Table    string  `json:"table"`
	Days     int     `json:"days"`
	TryDays  *int    `json:"try_days,omitempty"`
	Oldest   string  `json:"oldest,omitempty"`
	Rows     uint64  `json:"rows"`
	Bytes    uint64  `json:"bytes"`
	PerRow   float64 `json:"bytes_per_row"`
	PerDay   float64 `json:"bytes_per_day"`
	RowsADay float64 `json:"rows_per_day"`
}

// retentionRule is what a rule has of a table; of none when that is empty. Bytes are
// a share by number of rows.
type retentionRule struct {
	Rule  string `json:"rule"`
	Days  int    `json:"days"`
	Table string `json:"table"`
	Rows  uint64 `json:"rows"`
	Bytes uint64 `json:"bytes"`
	// Held are the rows that holds keep besides.
	Held uint64 `json:"held"`
}

type retentionDrop struct {
	Table string `json:"table"`
	Day   string `json:"day"`
	// Action is drop: all of the day, or delete: some rows.
	Action string `json:"action"`
	Rows   uint64 `json:"rows"`
	Bytes  uint64 `json:"bytes"`
	// Rules are the rows by rule; the table's own days are "".
	Rules map[string]uint64 `json:"rules,omitempty"`
}

type retentionDisk struct {
	Disk  string `json:"disk"`
	Free  uint64 `json:"free"`
	Total uint64 `json:"total"`
}

type retentionForecast struct {
	Day   string  `json:"day"`
	Bytes float64 `json:"bytes"`
	// Try is the forecast with the retention that --set or --try name.
	Try *float64 `json:"try_bytes,omitempty"`
}

// readRetention reads what the report says. tried are the settings of a dry run,
// nil without one.
func readRetention(ctx context.Context, conn driver.Conn, db *database, c config.Config, tried *config.Config, days int) (*retentionReport, error) {
	o, err := desiredSchema(ctx, conn, c, db)
	if err != nil {
		return nil, err
	}
	present, err := retention.Read(ctx, conn, o, policy(c.Retention))
	if err != nil {
		return nil, err
	}
	if err := present.Classify(ctx, conn, o); err != nil {
		return nil, err
	}
	holds, err := retention.ReadHolds(ctx, conn, o)
	if err != nil {
		return nil, err
	}
	r := newRetentionReport(present)
	for _, h := range holds {
		if h.Active(present.Now) {
			r.Holds++
		}
	}
	if tried == nil {
		r.forecast(present, nil, days)
		return r, nil
	}
	if o, err = desiredSchema(ctx, conn, *tried, db); err != nil {
		return nil, err
	}
	then := present.With(policy(tried.Retention))
	if err := then.Classify(ctx, conn, o); err != nil {
		return nil, err
	}
	for i := range then.Tables {
		if d := then.Tables[i].Days; d != present.Tables[i].Days {
			r.Tables[i].TryDays = &d
		}
	}
	r.TryRules = rulesOf(then)
	if o.KeeperDeletes {
		actions, err := retention.Plan(ctx, conn, o, then)
		if err != nil {
			return nil, err
		}
		r.actions(actions)
	} else {
		for i := range then.Tables {
			r.parts(then.Expired(then.Tables[i].Name))
		}
	}
	r.forecast(present, then, days)
	return r, nil
}

func newRetentionReport(h *retention.Holdings) *retentionReport {
	r := &retentionReport{Time: h.Now, Disks: []retentionDisk{}, Rules: rulesOf(h)}
	for i := range h.Tables {
		t := &h.Tables[i]
		row := retentionTable{Table: t.Name, Days: t.Days, Rows: t.Rows(), Bytes: t.Bytes()}
		if d := t.Oldest(); !d.IsZero() {
			row.Oldest = d.Format(time.DateOnly)
		}
		if row.Rows > 0 {
			row.PerRow = float64(row.Bytes) / float64(row.Rows)
		}
		row.PerDay, row.RowsADay = t.Daily(h.Now)
		r.Tables = append(r.Tables, row)
	}
	for _, d := range h.Disks {
		r.Disks = append(r.Disks, retentionDisk{d.Name, d.Free, d.Total})
	}
	return r
}

// rulesOf says what each rule has of each table, in the rules' order, and last what
// no rule is about.
func rulesOf(h *retention.Holdings) []retentionRule {
	var out []retentionRule
	add := func(class int, name string, days func(*retention.Table) int) (any bool) {
		for i := range h.Tables {
			t := &h.Tables[i]
			if c := t.Class(class); c.Rows+c.Held > 0 {
				out = append(out, retentionRule{Rule: name, Days: days(t), Table: t.Name, Rows: c.Rows, Bytes: c.Bytes, Held: c.Held})
				any = true
			}
		}
		return any
	}
	for i, rule := range h.Policy.Rules {
		if !add(i+1, rule.Name, func(*retention.Table) int { return rule.Days }) {
			out = append(out, retentionRule{Rule: rule.Name, Days: rule.Days})
		}
	}
	if len(h.Policy.Rules) > 0 {
		add(0, "", func(t *retention.Table) int { return t.Days })
	}
	return out
}

func (r *retentionReport) forecast(present, tried *retention.Holdings, days int) {
	now, free := uint64(0), uint64(0)
	for _, t := range r.Tables {
		now += t.Bytes
	}
	for _, d := range r.Disks {
		free += d.Free
	}
	list := present.Forecast(days)
	then := list
	if tried != nil {
		then = tried.Forecast(days)
	}
	for i, d := range list {
		f := retentionForecast{Day: d.Day.Format(time.DateOnly), Bytes: d.Bytes}
		if tried != nil {
			f.Try = &then[i].Bytes
		}
		if r.FullOn == "" && then[i].Bytes > float64(now)+float64(free) {
			r.FullOn = f.Day
		}
		r.Forecast = append(r.Forecast, f)
	}
}

// parts adds what ClickHouse drops, by table and day.
func (r *retentionReport) parts(parts []retention.Part) {
	byDay := map[string]*retentionDrop{}
	for _, p := range parts {
		day := p.Day.Format(time.DateOnly)
		if byDay[day] == nil {
			byDay[day] = &retentionDrop{Table: p.Table, Day: day, Action: retention.Drop}
		}
		byDay[day].Rows += p.Rows
		byDay[day].Bytes += p.Bytes
	}
	for _, day := range slices.Sorted(maps.Keys(byDay)) {
		r.Drops = append(r.Drops, *byDay[day])
	}
}

// actions adds what the keeper does.
func (r *retentionReport) actions(actions []retention.Action) {
	for _, a := range actions {
		d := retentionDrop{Table: a.Table, Day: a.Day.Format(time.DateOnly), Action: a.Kind, Rows: a.Rows, Bytes: a.Bytes, Rules: map[string]uint64{}}
		for _, rule := range a.ByRule {
			d.Rules[rule.Rule] = rule.Rows
		}
		r.Drops = append(r.Drops, d)
	}
}

func (r *retentionReport) write(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "TABLE\tKEPT\tOLDEST\tROWS\tON DISK\tPER ROW\tA DAY\t")
	for _, t := range r.Tables {
		kept := keptFor(t.Days)
		if t.TryDays != nil {
			kept += " → " + keptFor(*t.TryDays)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%.1f B\t%s\t\n", t.Table, kept, t.Oldest, humanize.Comma(int64(t.Rows)), humanize.IBytes(t.Bytes), t.PerRow, humanize.IBytes(uint64(t.PerDay)))
	}
	writeRules(w, "RULE", r.Rules)
	writeRules(w, "RULE TRIED", r.TryRules)
	fmt.Fprintln(w, "\t\t\t\t\t\t\t")
	fmt.Fprintln(w, "DISK\tFREE\tTOTAL\t\t\t\t\t")
	for _, d := range r.Disks {
		fmt.Fprintf(w, "%s\t%s\t%s\t\t\t\t\t\n", d.Disk, humanize.IBytes(d.Free), humanize.IBytes(d.Total))
	}
	tried := len(r.Forecast) > 0 && r.Forecast[0].Try != nil
	if tried {
		fmt.Fprintln(w, "\t\t\t\t\t\t\t")
		fmt.Fprintln(w, "WOULD GO NOW\tDAY\t\tROWS\tON DISK\t\t\t")
		for _, d := range r.Drops {
			what := "all"
			if d.Action == retention.Delete {
				what = "some"
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t\t\t\n", d.Table, d.Day, what, humanize.Comma(int64(d.Rows)), humanize.IBytes(d.Bytes))
		}
		if len(r.Drops) == 0 {
			fmt.Fprintln(w, "nothing\t\t\t\t\t\t\t")
		}
	}
	fmt.Fprintln(w, "\t\t\t\t\t\t\t")
	fmt.Fprintln(w, "FORECAST\tAS IS\t"+map[bool]string{true: "TRIED"}[tried]+"\t\t\t\t\t")
	for _, f := range r.Forecast {
		try := ""
		if f.Try != nil {
			try = humanize.IBytes(uint64(*f.Try))
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t\t\t\t\t\n", f.Day, humanize.IBytes(uint64(f.Bytes)), try)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if r.Holds > 0 {
		fmt.Fprintf(out, "\n%s: heplake hold list\n", count(r.Holds, "hold"))
	}
	if r.FullOn != "" {
		fmt.Fprintf(out, "\nthe disk is full on %s\n", r.FullOn)
	}
	return nil
}

func writeRules(w io.Writer, title string, rules []retentionRule) {
	if len(rules) == 0 {
		return
	}
	fmt.Fprintln(w, "\t\t\t\t\t\t\t")
	fmt.Fprintln(w, title+"\tKEPT\tTABLE\tROWS\tON DISK\tHELD\t\t")
	for _, r := range rules {
		name := r.Rule
		if name == "" {
			name = "(no rule)"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t\t\n", name, keptFor(r.Days), r.Table, humanize.Comma(int64(r.Rows)), humanize.IBytes(r.Bytes), humanize.Comma(int64(r.Held)))
	}
}

func keptFor(days int) string {
	if days == 0 {
		return "for ever"
	}
	return strconv.Itoa(days) + " d"
}
