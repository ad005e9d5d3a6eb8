package schema

import (
	"strings"
)

// addressText is an address as people write it: without the prefix that maps
// IPv4 into IPv6, and empty where the sender gave none.
func addressText(ip string) string {
	text := "toString(" + ip + ")"
	return "multiIf(" + text + " = '::', '', startsWith(" + text + ", '::ffff:'), substring(" + text + ", 8), " + text + ")"
}

// viewColumn is a column of a view for analysts with its SQL.
type viewColumn struct {
	Column
	sql string
}

// same is a column that the view's source r has under that name.
func same(from []Column, names ...string) []viewColumn {
	var out []viewColumn
	for _, name := range names {
		found := false
		for _, c := range from {
			if c.Name == name {
				c.Index, c.Codec = "", ""
				out = append(out, viewColumn{c, "r.`" + name + "`"})
				found = true
			}
		}
		if !found {
			panic("schema: no column " + name)
		}
	}
	return out
}

func address(name, of, doc string) viewColumn {
	return viewColumn{Column{Name: name, Kind: Text, Doc: doc + "; empty where the sender of the packet gave none."}, addressText("r." + of)}
}

func computed(name string, kind Kind, doc, sql string) viewColumn {
	return viewColumn{Column{Name: name, Kind: kind, Doc: doc}, sql}
}

func number(name, doc, sql string) viewColumn {
	return viewColumn{figure(name, doc), "CAST(" + sql + " AS " + nullableFigure + ")"}
}

// analystView is a view with the columns, over what stands behind FROM: an alias
// r and what restricts it.
func analystView(name, doc string, columns []viewColumn, from func(o Options) string) *View {
	v := &View{Name: name, Doc: doc}
	var selects []string
	for _, c := range columns {
		v.Columns = append(v.Columns, c.Column)
		selects = append(selects, c.sql+" AS `"+c.Name+"`")
	}
	v.query = func(o Options) string {
		return "SELECT\n    " + strings.Join(selects, ",\n    ") + "\nFROM " + from(o)
	}
	return v
}

func concat(lists ...[]viewColumn) []viewColumn {
	var out []viewColumn
	for _, l := range lists {
		out = append(out, l...)
	}
	return out
}

// Messages has the SIP messages with what people look for decoded.
var Messages = analystView("messages", "One row per SIP message, with addresses as text and a label.", concat(
	same(SIP.Columns, "time"),
	[]viewColumn{{Column{Name: "hour", Type: "DateTime('UTC')", Doc: "The hour that it lies in, by which the table is ordered: bound it as well as time."}, "toStartOfHour(r.time)"}},
	same(SIP.Columns, "tenant", "node", "correlation_id", "call_id"),
	[]viewColumn{computed("message", Text, "What it is in short: the method, or status code and reason.", "if(r.method != '', toString(r.method), concat(toString(r.status), ' ', r.reason))")},
	same(SIP.Columns, "method", "status", "reason", "cseq", "cseq_method"),
	[]viewColumn{address("src", "src_ip", "Sender")}, same(SIP.Columns, "src_port"),
	[]viewColumn{address("dst", "dst_ip", "Receiver")}, same(SIP.Columns, "dst_port", "transport",
		"from_user", "from_domain", "to_user", "to_domain", "ruri_user", "ruri_domain"),
	[]viewColumn{computed("user_agent", Enum, "User-Agent header, else Server.", "if(r.user_agent != '', r.user_agent, r.server)")},
	same(SIP.Columns, "q850", "sdp", "headers", "parse_error", "raw"),
), func(o Options) string { return o.table(SIP.Name) + " AS r" })

// callFacts are what the views of calls begin with.
func callFacts() []viewColumn {
	return concat(same(Calls.Columns, "start", "tenant", "correlation_id", "call_ids", "from_user", "from_domain", "to_user", "to_domain", "ruri_user"),
		[]viewColumn{address("src", "src_ip", "Sender of the opening request"), address("dst", "dst_ip", "Its receiver"),
			address("last_dst", "last_dst_ip", "Receiver on the last hop of the last leg")})
}

// FailedCalls has the calls that came to nothing.
var FailedCalls = analystView("failed_calls", "One row per call that came to nothing: failed, cancelled or without a final response.", concat(
	callFacts(),
	same(Calls.Columns, "outcome", "final_status", "final_reason", "q850", "released_by"),
	[]viewColumn{
		computed("status_class", Text, "4xx, 5xx, 6xx, 3xx; empty without a final response.", "if(r.final_status = 0, '', concat(toString(intDiv(r.final_status, 100)), 'xx'))"),
		computed("fault", Text, "user when the user called was reached (busy, not picked up, turned down: delivered in the sense of NER), else network.", "if("+reachedUser+", 'user', 'network')"),
	},
	same(Calls.Columns, "ring_ms", "srd_ms", "pdd_ms", "hops", "tries", "retransmissions", "user_agents", "nodes"),
), func(o Options) string {
	return o.table(Calls.Name) + " AS r WHERE " + attempted("outcome IN ('failed', 'cancelled', 'unanswered')")
})

// CallQuality has the calls of which somebody reported media.
var CallQuality = analystView("call_quality", "One row per call of which media was reported, rated by its lowest score.", concat(
	callFacts(),
	same(Calls.Columns, "outcome", "duration_s", "codecs", "mos_min", "mos_avg"),
	[]viewColumn{computed("rating", Text, "satisfied (4.03 and more), some dissatisfied (3.60), many dissatisfied (3.10) or poor, by mos_min as ITU-T G.107 annex B puts it; empty without a score.",
		"multiIf(isNull(r.mos_min), '', r.mos_min >= 4.03, 'satisfied', r.mos_min >= 3.6, 'some dissatisfied', r.mos_min >= 3.1, 'many dissatisfied', 'poor')")},
	same(Calls.Columns, "loss_percent", "jitter_ms", "rtt_ms", "caller_mos", "caller_loss_percent", "caller_jitter_ms", "callee_mos", "callee_loss_percent", "callee_jitter_ms", "media_addresses", "user_agents"),
), func(o Options) string {
	return o.table(Calls.Name) + " AS r WHERE isNotNull(r.mos_avg) OR isNotNull(r.loss_percent)"
})

// kpiColumns are the columns of a view over one resolution of a rollup, of which
// a row has all sums: time is what the bucket is called.
func kpiColumns(r *Rollup, time string, ratios []Ratio) []viewColumn {
	out := []viewColumn{
		{Column{Name: time, Type: "DateTime('UTC')", Doc: "When it began: what began in it is counted."}, "r.bucket"},
		computed("tenant", Enum, "Whose traffic it is.", "r.tenant"),
		computed("dim", Enum, "What value is of: all, "+strings.Join(r.dimensionNames(), ", ")+". Restrict it to one: each has all calls.", "r.dim"),
		computed("value", Text, "The value; empty for all.", "r.value"),
	}
	for _, s := range r.Sums {
		if !s.Quantiles && !strings.HasSuffix(s.Name, "_sum") {
			out = append(out, viewColumn{Column{Name: s.Name, Type: "Float64", Doc: s.Doc}, "r.`" + s.Name + "`"})
		}
	}
	for _, ratio := range ratios {
		out = append(out, number(ratio.Name, ratio.Doc, ratio.SQL(func(sum string) string { return "r.`" + sum + "`" })))
	}
	for _, s := range r.Sums {
		if s.Quantiles {
			for i, level := range []string{"median", "95th percentile"} {
				name := s.Name + []string{"_p50", "_p95"}[i]
				state := "finalizeAggregation(r.`" + s.Name + "`)[" + []string{"1", "2"}[i] + "]"
				out = append(out, number(name, strings.TrimSuffix(strings.TrimSuffix(s.Doc, ", likewise."), ", for quantiles.")+": "+level+".", "if(isNaN("+state+"), NULL, "+state+")"))
			}
		}
	}
	return out
}

// kpiView is a view over one resolution of a rollup.
func kpiView(name, doc string, r *Rollup, place int, time string, ratios []Ratio) *View {
	return analystView(name, doc, kpiColumns(r, time, ratios), func(o Options) string {
		return o.table(r.TableName(Resolutions[place])) + " AS r FINAL"
	})
}

// The KPIs as docs/kpis.md defines them, a row for each value of each dimension.
// Over several rows ratios are computed from the sums, never averaged.
var (
	KPIHourly           = kpiView("kpi_hourly", "KPIs of calls by hour, tenant and one dimension at a time, ratios included.", &CallRollup, 1, "hour", CallRatios)
	KPIDaily            = kpiView("kpi_daily", "KPIs of calls by day, tenant and one dimension at a time, ratios included.", &CallRollup, 2, "day", CallRatios)
	RegistrationsHourly = kpiView("registrations_hourly", "KPIs of registrations by hour, tenant and one dimension at a time, ratios included.", &RegistrationRollup, 1, "hour", RegistrationRatios)
)

// AnalystViews lists the views that say in plain words what analysts ask for.
// They read the other tables and views with the rights of who asks.
func AnalystViews() []*View {
	return []*View{Messages, FailedCalls, CallQuality, KPIHourly, KPIDaily, RegistrationsHourly, &Trunks, TrunkHourly, TrunkDaily}
}
