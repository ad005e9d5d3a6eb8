package plugin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/grafana/grafana-plugin-sdk-go/backend"

	"github.com/heplake/heplake/internal/version"
	"github.com/heplake/heplake/schema"
)

// health is what a health check found, as JSON for the data source's page and
// for scripts.
type health struct {
	// Category, Error and Hint are set when something is wrong.
	Category category `json:"category,omitempty"`
	Error    string   `json:"error,omitempty"`
	Hint     string   `json:"hint,omitempty"`
	// Verbose is what Grafana shows below the message.
	Verbose string `json:"verboseMessage,omitempty"`

	Plugin     string `json:"plugin_version"`
	Grafana    string `json:"grafana_version,omitempty"`
	ClickHouse string `json:"clickhouse_version,omitempty"`
	Database   string `json:"database,omitempty"`
	// SchemaVersion is what the database was migrated to, SchemaWanted what this
	// plugin was made for. Missing lists tables and columns that are not there.
	SchemaVersion uint32   `json:"schema_version,omitempty"`
	SchemaWanted  uint32   `json:"schema_wanted"`
	Missing       []string `json:"missing,omitempty"`
	// Denied lists the tables that the user may not read.
	Denied   []string `json:"denied,omitempty"`
	Readonly string   `json:"readonly,omitempty"`
	// Newest is the time of the newest SIP message, nil when there is none.
	Newest    *time.Time `json:"newest,omitempty"`
	NewestAge *float64   `json:"newest_age_s,omitempty"`
	// ClockSkewMs is how far ClickHouse's clock is ahead of Grafana's.
	ClockSkewMs *float64 `json:"clock_skew_ms,omitempty"`
	Warnings    []string `json:"warnings,omitempty"`
}

// CheckHealth finds out whether the data source works, and if not, why. It is
// an error when queries would fail; what only looks odd is a warning in the
// details.
func (d *Datasource) CheckHealth(ctx context.Context, req *backend.CheckHealthRequest) (*backend.CheckHealthResult, error) {
	h := health{Plugin: version.Version, SchemaWanted: schema.Version, Database: d.settings.database()}
	if ua := req.PluginContext.UserAgent; ua != nil && !ua.IsUnknown() {
		h.Grafana = ua.GrafanaVersion()
	}
	err := d.check(ctx, req, &h)
	if err != nil {
		h.Category = classify(err, false)
		h.Error, h.Hint = d.message(err), h.Category.hint()
	}
	result := &backend.CheckHealthResult{Status: backend.HealthStatusOk, Message: h.summary()}
	if err != nil {
		result.Status = backend.HealthStatusError
	}
	h.Verbose = strings.Join(h.Warnings, "\n")
	if result.JSONDetails, err = json.Marshal(h); err != nil {
		return nil, fmt.Errorf("health: %w", err)
	}
	return result, nil
}

// summary is the check's result in one line.
func (h *health) summary() string {
	if h.Category != categoryNone {
		line := fmt.Sprintf("[%s] %s", h.Category, h.Error)
		if h.Hint != "" {
			line += " (" + h.Hint + ")"
		}
		return line
	}
	line := fmt.Sprintf("ClickHouse %s, heplake schema version %d in %s, ", h.ClickHouse, h.SchemaVersion, h.Database)
	if h.NewestAge == nil {
		line += "no SIP messages yet"
	} else {
		line += "newest SIP message " + age(time.Duration(*h.NewestAge*float64(time.Second))) + " ago"
	}
	if n := len(h.Warnings); n > 0 {
		line += ". Note: " + strings.Join(h.Warnings, "; ")
	}
	return line
}

// age is a duration for people.
func age(d time.Duration) string {
	switch {
	case d < time.Minute:
		return d.Round(time.Second).String()
	case d < 48*time.Hour:
		return strings.TrimSuffix(d.Round(time.Minute).String(), "0s")
	default:
		return fmt.Sprintf("%d days", int(d/(24*time.Hour)))
	}
}

// check fills in h and returns the first error that stops queries.
func (d *Datasource) check(ctx context.Context, req *backend.CheckHealthRequest, h *health) error {
	l, err := d.open(ctx)
	if err != nil {
		return err
	}
	who := newAsker(req.PluginContext, req.Headers)
	who.Query = "health"
	ctx, done := l.audit(ctx, who)
	defer done()
	h.Readonly = l.readonly
	if err := l.checkServer(ctx, h); err != nil {
		return err
	}
	if err := l.checkSchema(ctx, h); err != nil {
		return err
	}
	if err := l.checkGrants(ctx, h); err != nil {
		return err
	}
	if err := l.checkNewest(ctx, h); err != nil {
		return err
	}
	h.warn()
	if _, err := d.aliases.ask(ctx, 0); err != nil {
		h.Warnings = append(h.Warnings, "heplake's names of addresses are missing or old: "+d.message(err))
	}
	return nil
}

// The limits beyond which a health check warns.
const (
	skewLimit   = 5 * time.Second
	silentLimit = 10 * time.Minute
	// grafanaFloor is the first Grafana that loads the plugin's frontend.
	grafanaFloor = "12.3.0"
)

func (h *health) warn() {
	add := func(format string, args ...any) { h.Warnings = append(h.Warnings, fmt.Sprintf(format, args...)) }
	if h.ClockSkewMs != nil && max(*h.ClockSkewMs, -*h.ClockSkewMs) > float64(skewLimit.Milliseconds()) {
		add("the clocks of ClickHouse and Grafana differ by %.1f s: time ranges such as \"last 5 minutes\" miss records", *h.ClockSkewMs/1000)
	}
	if h.NewestAge != nil && *h.NewestAge > silentLimit.Seconds() {
		add("nothing has arrived for %s: is the ingester running?", age(time.Duration(*h.NewestAge*float64(time.Second))))
	}
	if h.Readonly == "0" {
		add("the ClickHouse user may write; a user with the setting readonly = 2 is enough")
	}
	if h.Grafana != "" && olderThan(h.Grafana, grafanaFloor) {
		add("Grafana %s is older than %s: the plugin's pages may not load", h.Grafana, grafanaFloor)
	}
}

// olderThan compares versions by their first numbers: 12.3.0 of "12.3.0-pre".
func olderThan(version, floor string) bool {
	numbers := func(s string) [3]int {
		var n [3]int
		_, _ = fmt.Sscanf(s, "%d.%d.%d", &n[0], &n[1], &n[2]) // what is missing stays 0
		return n
	}
	v, f := numbers(version), numbers(floor)
	return slices.Compare(v[:], f[:]) < 0
}

// checkServer reads version and clock.
func (l *lake) checkServer(ctx context.Context, h *health) error {
	var now time.Time
	before := time.Now()
	if err := l.Conn().QueryRow(l.Limit(ctx), "SELECT version(), now64(6, 'UTC')").Scan(&h.ClickHouse, &now); err != nil {
		return err
	}
	// Half of the way there and back: the clock was read in the middle.
	middle := before.Add(time.Since(before) / 2)
	skew := float64(now.Sub(middle).Microseconds()) / 1000
	h.ClockSkewMs = &skew
	return nil
}

// schemaError says that tables or columns are not as this plugin needs them.
type schemaError struct{ text string }

func (e *schemaError) Error() string { return e.text }

// checkSchema compares tables and columns with the declaration.
func (l *lake) checkSchema(ctx context.Context, h *health) error {
	rows, err := l.Conn().Query(l.Limit(ctx), "SELECT table, name FROM system.columns WHERE database = {db:String}", clickhouse.Named("db", l.Database()))
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	have := map[string]map[string]bool{}
	for rows.Next() {
		var table, column string
		if err := rows.Scan(&table, &column); err != nil {
			return err
		}
		if have[table] == nil {
			have[table] = map[string]bool{}
		}
		have[table][column] = true
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for name, columns := range declared() {
		if have[name] == nil {
			h.Missing = append(h.Missing, name)
			continue
		}
		for _, c := range columns {
			if !have[name][c.Name] {
				h.Missing = append(h.Missing, name+"."+c.Name)
			}
		}
	}
	slices.Sort(h.Missing)
	if err := l.readVersion(ctx, h, have["meta"] != nil); err != nil {
		return err
	}
	switch {
	case len(have) == 0:
		return &schemaError{fmt.Sprintf("there are no tables of heplake in the database %s, or the user may not see them", l.Database())}
	case len(h.Missing) > 0:
		return &schemaError{fmt.Sprintf("the schema in %s lacks %s", l.Database(), few(h.Missing))}
	}
	return nil
}

// declared are the columns of each table and view. Those of tables that are
// computed are seen by whoever may read what they are computed of alone.
func declared() map[string][]schema.Column {
	out := map[string][]schema.Column{}
	for _, t := range schema.Tables() {
		out[t.Name] = t.Stored()
	}
	for _, v := range schema.Views() {
		out[v.Name] = v.Columns
	}
	return out
}

// readVersion reads what the last migration recorded.
func (l *lake) readVersion(ctx context.Context, h *health, recorded bool) error {
	if !recorded {
		return nil
	}
	err := l.Conn().QueryRow(l.Limit(ctx), "SELECT max(schema_version) FROM meta").Scan(&h.SchemaVersion)
	if classify(err, false) == categoryAccess {
		return nil // a user without this table can still work
	}
	if err == nil && h.SchemaVersion > schema.Version {
		h.Warnings = append(h.Warnings, fmt.Sprintf("the schema has version %d, this plugin was made for %d: update the plugin", h.SchemaVersion, schema.Version))
	}
	return err
}

// few names the first of a list.
func few(list []string) string {
	const most = 5
	if len(list) <= most {
		return strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(list[:most], ", "), len(list)-most)
}

// checkGrants asks every table for nothing.
func (l *lake) checkGrants(ctx context.Context, h *health) error {
	var denied error
	for _, t := range schema.Tables() {
		err := l.Conn().Exec(l.Limit(ctx), "SELECT * FROM "+t.Name+" LIMIT 0")
		switch classify(err, false) {
		case categoryNone:
		case categoryAccess:
			h.Denied, denied = append(h.Denied, t.Name), errors.Join(denied, err)
		default:
			return err
		}
	}
	return denied
}

// checkNewest reads the time of the newest message: of the newest partition,
// whose name is known without reading rows.
func (l *lake) checkNewest(ctx context.Context, h *health) error {
	const newest = "SELECT max(time), count() FROM sip WHERE _partition_id = (SELECT max(_partition_id) FROM sip)"
	var at time.Time
	var n uint64
	if err := l.Conn().QueryRow(l.Limit(ctx), newest).Scan(&at, &n); err != nil {
		return err
	}
	if n > 0 {
		seconds := max(0, time.Since(at).Seconds())
		h.Newest, h.NewestAge = &at, &seconds
	}
	return nil
}
