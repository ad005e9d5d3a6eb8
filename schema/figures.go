package schema

import "strings"

// Ratio is a KPI that is one sum of a rollup, or a difference of sums, divided by
// another: it has no value where nothing was counted. docs/kpis.md says what each
// means and where the definition comes from. This is the one place that spells
// them out: the figures over time and the views of analysts are made of it.
type Ratio struct {
	Name, Doc string
	// Unit is percent, s, ms, or short for a figure without one.
	Unit   string
	Rollup *Rollup
	// part and whole are SQL over sums in braces, such as {attempts} - {pending}.
	part, whole string
}

// SQL is the ratio over sums, of each of which the function gives the SQL:
// sum(answered) where rows are added up, answered where one row has them all.
func (r Ratio) SQL(sum func(name string) string) string {
	return braced("if("+r.whole+" > 0, "+r.part+" / ("+r.whole+"), NULL)", sum)
}

// braced replaces the names in braces.
func braced(sql string, sum func(name string) string) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(sql, "{")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		name, after, _ := strings.Cut(rest, "}")
		b.WriteString(sum(name))
		sql = after
	}
}

const (
	decided = "{attempts} - {pending}"
	invited = "{attempts} - {pending} - {redirected}"
)

// CallRatios are the ratios of calls, in the order of docs/kpis.md.
var CallRatios = []Ratio{
	{"asr", "Answer-seizure ratio in percent (ITU-T E.425).", "percent", &CallRollup, "100 * {answered}", decided},
	{"ner", "Network effectiveness ratio in percent (ITU-T E.425).", "percent", &CallRollup, "100 * {delivered}", decided},
	{"ser", "Session establishment ratio in percent (RFC 6076 section 4.6).", "percent", &CallRollup, "100 * {answered}", invited},
	{"seer", "Session establishment effectiveness ratio in percent (RFC 6076 section 4.7).", "percent", &CallRollup, "100 * {effective}", invited},
	{"isa", "Ineffective session attempts in percent (RFC 6076 section 4.8).", "percent", &CallRollup, "100 * {ineffective}", decided},
	{"scr", "Session completion ratio in percent (RFC 6076 section 4.9).", "percent", &CallRollup, "100 * {completed}", "{attempts} - {pending} - {active}"},
	{"acd_s", "Average call duration in s: the mean of the session duration time (RFC 6076 section 4.5).", "s", &CallRollup, "{talk_seconds}", "{ended}"},
	{"retransmission_rate", "Share of messages that the same sender had sent before, in percent.", "percent", &CallRollup, "100 * {retransmissions}", "{call_messages}"},
	{"mos", "Mean opinion score: the mean over calls that have one.", "short", &CallRollup, "{mos_sum}", "{mos_count}"},
	{"loss_percent", "Share of packets lost in percent, likewise.", "percent", &CallRollup, "{loss_sum}", "{reception_count}"},
	{"jitter_ms", "Jitter in ms, likewise.", "ms", &CallRollup, "{jitter_sum}", "{reception_count}"},
}

// RegistrationRatios are those of registrations.
var RegistrationRatios = []Ratio{
	{"ira", "Ineffective registration attempts in percent (RFC 6076 section 4.2).", "percent", &RegistrationRollup, "100 * {ineffective}", decided},
}
