package truth

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// callsSQL reads what Got holds; times are in µs.
const callsSQL = `SELECT call_ids, toString(method) AS method,
    toUnixTimestamp64Micro(start) AS start_us, toUnixTimestamp64Micro(provisional) AS provisional_us, toUnixTimestamp64Micro(ring) AS ring_us,
    toUnixTimestamp64Micro(answer) AS answer_us, toUnixTimestamp64Micro(end) AS end_us, toUnixTimestamp64Micro(last_seen) AS last_seen_us,
    outcome, final_status, final_reason, released_by, codecs, nodes, leg_reasons, q850, from_user, to_user, ruri_user,
    concat(replaceOne(toString(src_ip), '::ffff:', ''), ':', toString(src_port)) AS src, concat(replaceOne(toString(dst_ip), '::ffff:', ''), ':', toString(dst_port)) AS dst,
    concat(replaceOne(toString(last_src_ip), '::ffff:', ''), ':', toString(last_src_port)) AS last_src,
    concat(replaceOne(toString(last_dst_ip), '::ffff:', ''), ':', toString(last_dst_port)) AS last_dst,
    messages, retransmissions, hops, pdd_ms, srd_ms, sdd_ms, duration_s, loss_percent, jitter_ms, caller_loss_percent, callee_loss_percent
FROM calls WHERE start >= fromUnixTimestamp64Micro({from:Int64}) AND start <= fromUnixTimestamp64Micro({to:Int64})
FORMAT JSONEachRow`

const registrationsSQL = `SELECT call_id, toUnixTimestamp64Micro(start) AS time_us, user, domain, contact,
    concat(replaceOne(toString(src_ip), '::ffff:', ''), ':', toString(src_port)) AS source, outcome, status, expires, rrd_ms, ineffective = 1 AS is_ineffective, requests
FROM registrations WHERE start >= fromUnixTimestamp64Micro({from:Int64}) AND start <= fromUnixTimestamp64Micro({to:Int64})
FORMAT JSONEachRow`

// StoredCalls reads the calls that have a leg of the corpus from a database, by
// the URL of its HTTP interface: http://user:password@host:port/database.
func (c *Corpus) StoredCalls(ctx context.Context, database string) ([]Got, error) {
	mine := map[string]bool{}
	for i := range c.Calls {
		for _, id := range c.Calls[i].CallIDs {
			mine[id] = true
		}
	}
	var out []Got
	err := c.query(ctx, database, callsSQL, func(line []byte) error {
		var row struct {
			Got
			StartUs       int64  `json:"start_us"`
			ProvisionalUs *int64 `json:"provisional_us"`
			RingUs        *int64 `json:"ring_us"`
			AnswerUs      *int64 `json:"answer_us"`
			EndUs         *int64 `json:"end_us"`
			LastSeenUs    int64  `json:"last_seen_us"`
		}
		if err := json.Unmarshal(line, &row); err != nil {
			return err
		}
		if !slices.ContainsFunc(row.CallIDs, func(id string) bool { return mine[id] }) {
			return nil
		}
		g := row.Got
		g.Start, g.LastSeen = time.UnixMicro(row.StartUs).UTC(), time.UnixMicro(row.LastSeenUs).UTC()
		g.FirstProvisional, g.Ring, g.Answer, g.End = optional(row.ProvisionalUs), optional(row.RingUs), optional(row.AnswerUs), optional(row.EndUs)
		out = append(out, g)
		return nil
	})
	return out, err
}

// StoredRegistrations reads the attempts to register likewise.
func (c *Corpus) StoredRegistrations(ctx context.Context, database string) ([]GotRegistration, error) {
	mine := map[string]bool{}
	for i := range c.Registrations {
		mine[c.Registrations[i].CallID] = true
	}
	var out []GotRegistration
	err := c.query(ctx, database, registrationsSQL, func(line []byte) error {
		var row struct {
			GotRegistration
			TimeUs        int64 `json:"time_us"`
			IsIneffective uint8 `json:"is_ineffective"`
		}
		if err := json.Unmarshal(line, &row); err != nil {
			return err
		}
		if !mine[row.CallID] {
			return nil
		}
		g := row.GotRegistration
		g.Time, g.Ineffective = time.UnixMicro(row.TimeUs).UTC(), row.IsIneffective == 1
		out = append(out, g)
		return nil
	})
	return out, err
}

func optional(us *int64) *time.Time {
	if us == nil {
		return nil
	}
	t := time.UnixMicro(*us).UTC()
	return &t
}

// query runs a query over the corpus' time and gives each line of its answer.
func (c *Corpus) query(ctx context.Context, database, sql string, row func([]byte) error) error {
	u, err := url.Parse(database)
	if err != nil {
		return fmt.Errorf("database: %w", err)
	}
	user, name := u.User, strings.Trim(u.Path, "/")
	u.User, u.Path = nil, "/"
	from, to := c.Span()
	margin := time.Minute
	u.RawQuery = url.Values{
		"database": {name}, "output_format_json_quote_64bit_integers": {"0"},
		"param_from": {fmt.Sprint(from.Add(-margin).UnixMicro())}, "param_to": {fmt.Sprint(to.Add(margin).UnixMicro())},
	}.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), strings.NewReader(sql))
	if err != nil {
		return fmt.Errorf("database: %w", err)
	}
	if user != nil {
		password, _ := user.Password()
		req.SetBasicAuth(user.Username(), password)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("database: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 1000))
		return fmt.Errorf("database: %s: %s", resp.Status, text)
	}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if err := row(lines.Bytes()); err != nil {
			return fmt.Errorf("database: row %q: %w", lines.Text(), err)
		}
	}
	return lines.Err()
}

// Span is from the first message to the last.
func (c *Corpus) Span() (from, to time.Time) {
	first, last := int64(0), int64(0)
	for i := range c.Packets {
		t := c.Packets[i].Time
		if first == 0 || t < first {
			first = t
		}
		last = max(last, t)
	}
	return time.UnixMicro(first).UTC(), time.UnixMicro(last).UTC()
}
