package retention

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/heplake/heplake/schema"
)

// Rule says how long some rows are kept, in place of their table's own days.
// Every list that is not empty must have the row's value.
type Rule struct {
	// Name is what reports call it.
	Name string
	// Tables are of sip, media, events; all of them when empty. Calls and
	// registrations go with sip.
	Tables []string
	// Tenants are those of the rows.
	Tenants []string
	// Methods are those of messages, by CSeq, and of calls. INVITE has the others
	// that make up a call with it: see CallMethods. A rule with methods is not about
	// media and events, which have none.
	Methods []string
	// Outcomes are those of the call that a row belongs to: schema.Outcomes.
	Outcomes []string
	// MOSBelow is for calls whose lowest mean opinion score is less; 0 for any call,
	// and what belongs to no call.
	MOSBelow float64
	// Days is how long such rows are kept; 0 for ever.
	Days int
}

// CallMethods are the methods that a rule for INVITE is about: those whose
// messages belong to a call.
var CallMethods = []string{"INVITE", "ACK", "BYE", "CANCEL", "PRACK", "UPDATE", "INFO"}

// Policy is what is kept for how long: the first rule that a row meets says so,
// else its table's days.
type Policy struct {
	// Days are those of sip, media and events by name; absent: the schema's.
	Days  map[string]int
	Rules []Rule
}

// ofCalls tells whether one must know a row's call to say if the rule is about it.
func (r Rule) ofCalls() bool { return len(r.Outcomes) > 0 || r.MOSBelow > 0 }

// tableDays is how long rows of a table are kept that no rule is about.
func (p Policy) tableDays(t *schema.Table) int {
	return schema.Options{TTLDays: p.Days}.TTLDaysOf(t)
}

// days is how long rows of a class are kept; classes are as classSQL has them.
func (p Policy) days(t *schema.Table, class int) int {
	if class == 0 {
		return p.tableDays(t)
	}
	return p.Rules[class-1].Days
}

// ruleName names a class.
func (p Policy) ruleName(class int) string {
	if class == 0 {
		return ""
	}
	return p.Rules[class-1].Name
}

// base is the table whose name rules and settings call this one by.
func base(t *schema.Table) string {
	if t.TTLLike != "" {
		return t.TTLLike
	}
	return t.Name
}

// classes lists the classes that rows of a table can have: 0 for the table's own
// days, else the rule's position counted from 1.
func (p Policy) classes(t *schema.Table) []int {
	out := []int{0}
	for i, r := range p.Rules {
		if _, ok := r.condition(t, ""); ok {
			out = append(out, i+1)
		}
	}
	return out
}

// asking lists the classes for which calls must be asked about a table's rows.
func (p Policy) asking(t *schema.Table) (out []int) {
	for i, r := range p.Rules {
		if r.asksCalls(t) {
			out = append(out, i+1)
		}
	}
	return out
}

// classSQL is the expression for the class of a row. The SELECT of the tenants and
// ids of calls that a rule is about comes from callIDs.
func (p Policy) classSQL(t *schema.Table, callIDs func(class int) string) string {
	var b strings.Builder
	for i, r := range p.Rules {
		ids := ""
		if r.asksCalls(t) {
			ids = callIDs(i + 1)
		}
		if cond, ok := r.condition(t, ids); ok {
			fmt.Fprintf(&b, "%s, %d, ", cond, i+1)
		}
	}
	if b.Len() == 0 {
		return "0"
	}
	return "multiIf(" + b.String() + "0)"
}

// asksCalls tells whether other tables' rows must be asked what the rule is about.
func (r Rule) asksCalls(t *schema.Table) bool {
	_, ok := r.condition(t, "")
	return ok && r.ofCalls() && t != &schema.CallRows
}

// condition is the rule's SQL for a row of the table; false when it is about no row
// of that table. callIDs is the SELECT of the tenants and ids of calls that it is
// about.
func (r Rule) condition(t *schema.Table, callIDs string) (string, bool) {
	if len(r.Tables) > 0 && !slices.Contains(r.Tables, base(t)) {
		return "", false
	}
	var all []string
	if len(r.Tenants) > 0 {
		all = append(all, "tenant IN ("+quoted(r.Tenants)+")")
	}
	if len(r.Methods) > 0 {
		switch t {
		case &schema.SIP:
			all = append(all, "cseq_method IN ("+quoted(r.methods())+")")
		case &schema.CallRows:
			all = append(all, "method IN ("+quoted(r.methods())+")")
		case &schema.RegistrationRows:
			if !slices.Contains(r.Methods, "REGISTER") {
				return "", false
			}
		default:
			return "", false
		}
	}
	if r.ofCalls() {
		switch t {
		case &schema.CallRows:
			all = append(all, r.ofCall(schema.CallOutcome))
		case &schema.RegistrationRows:
			return "", false
		default:
			all = append(all, "(tenant, if(call_id != '', call_id, correlation_id)) IN ("+callIDs+")")
		}
	}
	if len(all) == 0 {
		return "1", true
	}
	return strings.Join(all, " AND "), true
}

// methods are the rule's with those that INVITE stands for.
func (r Rule) methods() []string {
	out := slices.Clone(r.Methods)
	if slices.Contains(out, "INVITE") {
		out = append(out, CallMethods...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// ofCall is the rule's SQL for a call, given the expression of its outcome.
func (r Rule) ofCall(outcome string) string {
	var all []string
	if len(r.Outcomes) > 0 {
		all = append(all, "("+outcome+") IN ("+quoted(r.Outcomes)+")")
	}
	if r.MOSBelow > 0 {
		all = append(all, "ifNull(mos_min < "+strconv.FormatFloat(r.MOSBelow, 'g', -1, 64)+", 0)")
	}
	return strings.Join(all, " AND ")
}

// longestCall is how many days before its last message a call may have begun. The
// assembler puts no longer ones together: legs are kept for eight days.
const longestCall = 8

// callIDs is the SELECT of the tenants and ids of a day's calls that the rule is
// about.
func (r Rule) callIDs(o schema.Options, day time.Time) string {
	d := schema.Quote(day.Format(time.DateOnly))
	return "SELECT toString(tenant) AS tenant, arrayJoin(arrayDistinct(arrayConcat(call_ids, correlation_ids, [correlation_id]))) AS id FROM " + qualified(o, schema.Calls.Name) +
		" WHERE toDate(start) BETWEEN toDate(" + d + ") - " + strconv.Itoa(longestCall) + " AND toDate(" + d + ") AND toDate(last_seen) >= toDate(" + d + ") AND " + r.ofCall("outcome")
}

// qualified is a table's name as it stands in SQL.
func qualified(o schema.Options, table string) string {
	return "`" + o.DatabaseName() + "`.`" + table + "`"
}

func quoted(values []string) string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = schema.Quote(v)
	}
	return strings.Join(out, ", ")
}
