package query

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/heplake/heplake/query/filter"
)

// isReception is the SQL condition for rows of media whose loss and jitter mean
// something. RTCP feedback, and a sender report without blocks, an SDES or a BYE have
// none; the rows of the latter are about the reporter's own stream.
const isReception = "(source NOT IN ('rtcp', 'hep-qos') OR ssrc != reporter AND report != 'feedback')"

// maxReports bounds how many reports a Quality has.
const maxReports = 20_000

// QualityRequest asks for a call's media quality.
type QualityRequest struct {
	// ID is a Call-ID of any leg, or a correlation id.
	ID string `json:"id"`
	// From and To say where to look, if known; a margin is added. Zero is
	// everywhere.
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	// Tenant restricts the search to one tenant's traffic; empty is all.
	Tenant string `json:"tenant"`
}

// Quality returns what was reported about the media of the call that has the
// id, over all its legs. A call about which nothing was reported has no streams
// and nil figures.
//
// The error wraps ErrNotFound when neither a SIP message nor a report has the
// id, else ErrTooExpensive, ErrUnavailable or ErrInvalid.
func (s *Store) Quality(ctx context.Context, r QualityRequest) (*Quality, error) {
	c, _, err := s.find(ctx, r.ID, r.From, r.To, r.Tenant)
	if err != nil {
		return nil, fmt.Errorf("quality of %q: %w", r.ID, err)
	}
	var p filter.Params
	var where string
	switch {
	case c != nil:
		where = rowsOf(c, c.mediaSpan(), &p, "correlation_id", "call_id")
	default:
		// Reports may be all there is: an agent may send nothing else.
		near, err := nearOf(r.From, r.To)
		if err != nil {
			return nil, err
		}
		id := p.Add("String", r.ID)
		where = near.condition(&p) + " AND " + tenantCondition(r.Tenant, &p) + " AND (correlation_id = " + id + " OR call_id = " + id + ")"
	}
	q, err := s.readQuality(ctx, where, &p)
	if err != nil {
		return nil, fmt.Errorf("quality of %q: %w", r.ID, err)
	}
	if c == nil && (q.Reports == 0 || r.ID == "") {
		return nil, fmt.Errorf("quality of %q: %w", r.ID, ErrNotFound)
	}
	q.CallID = r.ID
	return q, nil
}

func (s *Store) readQuality(ctx context.Context, where string, p *filter.Params) (*Quality, error) {
	sql := `SELECT time, src_ip, src_port, dst_ip, dst_port, source, report, ssrc, codec, toBool(` + isReception + `),
    packets, lost, fraction_lost, jitter_ms, rtt_ms, mos, r_factor
FROM ` + s.table("media") + ` WHERE ` + where + `
ORDER BY time, ssrc LIMIT ` + p.Add("UInt64", uint64(maxReports))
	sum := newQualitySum()
	err := s.query(ctx, nil, sql, p.Args(), func(rows driver.Rows) error {
		var m mediaRow
		var loss, jitter, rtt, mos, r float32
		err := rows.Scan(&m.Time, &m.src.ip, &m.src.port, &m.dst.ip, &m.dst.port, &m.source, &m.report, &m.ssrc, &m.codec, &m.Reception,
			&m.Packets, &m.Lost, &loss, &jitter, &rtt, &mos, &r)
		m.Time = m.Time.UTC()
		m.FractionLost, m.JitterMs, m.RTTMs, m.MOS, m.RFactor = decimal(loss), decimal(jitter), decimal(rtt), decimal(mos), decimal(r)
		if err == nil {
			sum.add(&m)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return sum.quality(), nil
}
