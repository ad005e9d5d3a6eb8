package query

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/heplake/heplake/query/filter"
	"github.com/heplake/heplake/schema"
)

// mediaMargin is how long after a call's last message a report about it may come.
const mediaMargin = 10 * time.Minute

// mediaSpan is the time in which reports and events of the call may be.
func (c *component) mediaSpan() window {
	w := c.span()
	return window{w.from.Add(-time.Minute), w.to.Add(mediaMargin)}
}

// aggregate returns the calls that components are, those of them that match.
// params holds the values of plan. The calls' rows say what they are; what has
// none, because it is no call or is not assembled yet, is computed of its
// messages.
func (s *Store) aggregate(ctx context.Context, c *cost, components []*component, plan filter.CallPlan, params filter.Params) ([]Call, error) {
	if len(components) == 0 {
		return nil, nil
	}
	calls, covered, err := s.rowsOfLegs(ctx, c, components, plan, params)
	if err != nil {
		return nil, err
	}
	var rest []*component
	for _, component := range components {
		if !slices.ContainsFunc(component.callIDs(), func(id string) bool { return covered[node{component.tenant, id}] }) {
			rest = append(rest, component)
		}
	}
	more, err := s.compute(ctx, c, rest, plan, params)
	return append(calls, more...), err
}

// compute computes the calls that components are of their messages, and returns
// those that match.
func (s *Store) compute(ctx context.Context, c *cost, components []*component, plan filter.CallPlan, params filter.Params) ([]Call, error) {
	var calls []Call
	if plan.Match == "1" && len(plan.Messages) == 0 {
		var err error
		if calls, components, err = s.dialogs(ctx, c, components); err != nil {
			return nil, err
		}
	}
	more, err := s.computeBySQL(ctx, c, components, plan, params)
	return append(calls, more...), err
}

// computeBySQL is compute by schema.CallsQuery, whatever the components are.
func (s *Store) computeBySQL(ctx context.Context, c *cost, components []*component, plan filter.CallPlan, params filter.Params) ([]Call, error) {
	if len(components) == 0 {
		return nil, nil
	}
	p := params.Clone()
	var legs, keys, ids []string
	tenants := map[string]bool{}
	messages, reports := make([]window, len(components)), make([]window, len(components))
	for i, component := range components {
		key := component.key()
		for _, leg := range component.callIDs() {
			legs = append(legs, component.tenant+"\n"+leg)
			keys = append(keys, key)
		}
		ids = append(ids, component.ids()...)
		tenants[component.tenant] = true
		messages[i], reports[i] = component.span(), component.mediaSpan()
	}
	tenant := "tenant IN " + p.Add("Array(String)", setOf(tenants))
	list := p.Add("Array(String)", ids)
	q := schema.CallsQuery{
		SIP: "(SELECT " + schema.SIP.Star() + " FROM " + s.table("sip") + " WHERE " + merge(messages).condition(p) + " AND " + tenant + " AND correlation_id IN " + list + ")",
		Media: "(SELECT * FROM " + s.table("media") + " WHERE " + merge(reports).condition(p) +
			" AND " + tenant + " AND (correlation_id IN " + list + " OR call_id IN " + list + "))",
		Key:     "transform(concat(tenant, '\\n', call_id), " + p.Add("Array(String)", legs) + ", " + p.Add("Array(String)", keys) + ", '')",
		Matches: plan.Messages,
	}
	sql := "SELECT " + columnsOfCalls + "\nFROM (SELECT *, " + strings.Join(laterColumns, ", ") + " FROM (" + q.SQL() + "))\nWHERE correlation_id != '' AND " + plan.Match
	out := make([]Call, 0, len(components))
	err := s.query(ctx, c, sql, p.Args(), func(rows driver.Rows) error {
		call, err := scanCall(rows)
		if err == nil {
			out = append(out, call)
		}
		return err
	})
	return out, err
}

// laterColumns stand for the columns of calls that are computed by the assembler
// alone.
var laterColumns = func() []string {
	columns := schema.Calls.Columns[len(schema.DialogColumns()):]
	out := make([]string, len(columns))
	for i, c := range columns {
		out[i] = "defaultValueOfTypeName(" + schema.Quote(c.SQLType()) + ") AS `" + c.Name + "`"
	}
	return out
}()

func setOf(m map[string]bool) []string {
	out := make([]string, 0, len(m))
	for v := range m {
		out = append(out, v)
	}
	return out
}

// callColumns are the columns of the view calls in the order in which scanCall
// takes them.
var callColumns = func() []string {
	out := []string{}
	for _, c := range schema.DialogColumns() {
		out = append(out, "`"+c.Name+"`")
	}
	return append(out, "`leg_reasons`", "`leg_confidences`")
}()

// columnsOfCalls are callColumns of anything that has them.
var columnsOfCalls = strings.Join(callColumns, ", ")

func scanCall(rows interface{ Scan(...any) error }) (Call, error) {
	var c Call
	err := rows.Scan(&c.Tenant, &c.CorrelationID, &c.CallIDs, &c.Method, &c.Start, &c.Ring, &c.Answer, &c.End, &c.LastSeen,
		&c.PDDMs, &c.SRDMs, &c.RingMs, &c.DurationS, &c.SDDMs,
		(*string)(&c.Outcome), &c.FinalStatus, &c.FinalReason, &c.Q850, &c.ReleasedBy,
		&c.FromUser, &c.FromDomain, &c.ToUser, &c.ToDomain, &c.RURIUser, &c.SrcIP, &c.SrcPort, &c.DstIP, &c.DstPort,
		&c.UserAgents, &c.Codecs, &c.Nodes, &c.Messages, &c.Retransmissions, &c.Hops,
		&c.MOSMin, &c.MOSAvg, &c.LossPercent, &c.JitterMs, &c.LegReasons, &c.LegConfidences)
	c.SrcIP, c.DstIP = unmap(c.SrcIP), unmap(c.DstIP)
	return c, err
}

// unmap is an address as people write it: the tables hold IPv4 mapped into
// IPv6, and :: where there is none.
func unmap(a netip.Addr) netip.Addr {
	if a = a.Unmap(); a.IsUnspecified() && a.Is6() {
		return netip.Addr{}
	}
	return a
}
