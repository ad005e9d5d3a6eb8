package filter

import (
	"fmt"
	"slices"
	"strings"

	"github.com/heplake/heplake/schema"
)

// CallPlan is an expression about calls, compiled for a query that computes
// calls out of messages (schema.CallsQuery).
//
// A condition on a message field holds for a call when one of its messages
// meets it. Conditions joined by and are to be met by one and the same message,
// so that `status >= 500 and status < 600` means what it says; with two
// exceptions, which no single message could meet: conditions on what only
// responses have (status, reason) beside conditions on what only requests have
// (method, ruri_user, ruri_domain) may be met by another message, and so may a
// second `=` on the same field. not, and the negative operators (!=, not in,
// not like, !~), say that no message meets the condition.
type CallPlan struct {
	// Match is the condition on a call. It refers to the columns of the view calls
	// and to m0, m1, …, which say for each of Messages whether a message meets it.
	Match string
	// Messages are conditions on rows of sip.
	Messages []string
	// OnIDs says of each of Messages which ids it asks for, when it asks for nothing
	// else; empty when it does.
	OnIDs []IDCondition
	// Prefilter is a condition on rows of sip of which every matching call has at
	// least one that meets it; "1" when there is none such.
	Prefilter string
	// IDs are such that every message that meets Prefilter has one of them as
	// Call-ID or as correlation id; nil when it demands none.
	IDs []string
	// Indexed says that Prefilter demands values that bloom filters are kept of, so
	// that looking through much time for it costs little.
	Indexed bool
	// Users is what Prefilter asks for, when it asks for users and nothing else; nil when
	// it does not.
	Users *UserCondition
	// OnCalls says that Match uses figures of calls, so that meeting Prefilter says
	// little about whether a call matches.
	OnCalls bool
}

// IDCondition holds for a message that has one of these Call-IDs or one of these
// correlation ids.
type IDCondition struct{ CallIDs, CorrelationIDs []string }

// UserCondition holds for a message that has one of these users in one of the fields,
// which are bits as in schema.UserColumns.
type UserCondition struct {
	Names  []string
	Fields uint8
}

// Empty reports whether it asks for no id at all.
func (c IDCondition) Empty() bool { return len(c.CallIDs)+len(c.CorrelationIDs) == 0 }

// CompileCalls compiles an expression about calls. Values go into params. The
// error is an *Error.
func CompileCalls(input string, params *Params) (CallPlan, error) {
	node, err := Parse(input)
	if err != nil {
		return CallPlan{}, err
	}
	plan := CallPlan{Match: "1", Prefilter: "1"}
	if node == nil {
		return plan, nil
	}
	c := callCompiler{compiler: compiler{target: Calls, params: params}, plan: &plan}
	match, pre, e := c.call(node)
	if e != nil {
		e.Input = input
		return CallPlan{}, e
	}
	plan.Match = match
	if pre.sql != "" {
		plan.Prefilter, plan.IDs, plan.Users, plan.Indexed = pre.sql, pre.ids, pre.users, pre.score >= scoreParty
	}
	return plan, nil
}

type callCompiler struct {
	compiler
	plan *CallPlan
}

// prefilter is a condition that some message of a matching call meets, with a
// guess of how few messages meet it. sql is "" when there is none.
type prefilter struct {
	sql   string
	score score
	ids   []string
	users *UserCondition
}

// call compiles a condition on a call.
func (c *callCompiler) call(n Node) (string, prefilter, *Error) {
	shape, err := c.shape(n)
	if err != nil {
		return "", prefilter{}, err
	}
	if shape.single {
		return c.exists([]Node{n})
	}
	switch n := n.(type) {
	case *And:
		return c.and(n)
	case *Or:
		return c.or(n)
	case *Not:
		sql, _, err := c.call(n.Node)
		return "(NOT " + sql + ")", prefilter{}, err
	case *Cond:
		f, err := c.target.resolve(n)
		if err != nil {
			return "", prefilter{}, err
		}
		if f.Scope == Call {
			c.plan.OnCalls = true
			sql, err := c.cond(n, f)
			return sql, prefilter{}, err
		}
		positive := *n
		if positive.Op, _ = n.Op.negative(); n.Op == Eq { // of nothing: see negativeOnCalls
			positive.Op = Ne
		}
		// The error of a bad value names the operator as written.
		if _, err := checkCond(n, f, positive.Op, c.params.Zone); err != nil {
			return "", prefilter{}, err
		}
		sql, _, err := c.exists([]Node{&positive})
		return "(NOT " + sql + ")", prefilter{}, err
	}
	panic(fmt.Sprintf("filter: unknown node %T", n))
}

// exists compiles the condition that one message meets all the nodes.
func (c *callCompiler) exists(nodes []Node) (string, prefilter, *Error) {
	pre := prefilter{}
	parts := make([]string, len(nodes))
	for i, n := range nodes {
		var err *Error
		if parts[i], err = c.row(n); err != nil {
			return "", pre, err
		}
		pre.score = max(pre.score, c.score(n))
	}
	pre.ids = c.ids(&And{Nodes: nodes})
	pre.sql = parts[0]
	if len(parts) > 1 {
		pre.sql = "(" + strings.Join(parts, " AND ") + ")"
	}
	var onIDs IDCondition
	if len(nodes) == 1 {
		onIDs, pre.users = c.idCondition(nodes[0]), c.userCondition(nodes[0])
	}
	c.plan.Messages, c.plan.OnIDs = append(c.plan.Messages, pre.sql), append(c.plan.OnIDs, onIDs)
	return fmt.Sprintf("m%d", len(c.plan.Messages)-1), pre, nil
}

// userCondition is the condition if it asks for users and nothing else, else nil.
func (c *callCompiler) userCondition(n Node) *UserCondition {
	cond, ok := n.(*Cond)
	if !ok || cond.Op != Eq && cond.Op != In {
		return nil
	}
	f, err := c.target.resolve(cond)
	if err != nil || f.computed != nil || f.mapKey != "" {
		return nil
	}
	var out UserCondition
	for _, column := range f.columns {
		i := slices.Index(schema.UserColumns, column)
		if i < 0 {
			return nil
		}
		out.Fields |= 1 << i
	}
	values, err := checkCond(cond, f, cond.Op, c.params.Zone)
	if err != nil || len(values) > maxUsers {
		return nil
	}
	for _, v := range values {
		name, ok := v.low.(string)
		if !ok || v.isRange || name == "" {
			return nil
		}
		out.Names = append(out.Names, name)
	}
	return &out
}

// maxUsers bounds the users that are looked up one by one.
const maxUsers = 64

func (c *callCompiler) and(n *And) (string, prefilter, *Error) {
	groups, rest, err := c.groups(flatten(n, nil))
	if err != nil {
		return "", prefilter{}, err
	}
	var parts []string
	var best prefilter
	add := func(sql string, pre prefilter, err *Error) *Error {
		parts = append(parts, sql)
		if pre.score > best.score || best.ids == nil && pre.ids != nil {
			best = pre
		}
		return err
	}
	for _, g := range groups {
		if err := add(c.exists(g)); err != nil {
			return "", best, err
		}
	}
	for _, n := range rest {
		if err := add(c.call(n)); err != nil {
			return "", best, err
		}
	}
	return "(" + strings.Join(parts, " AND ") + ")", best, nil
}

// flatten lists the operands of nested ands.
func flatten(n *And, into []Node) []Node {
	for _, o := range n.Nodes {
		if a, ok := o.(*And); ok {
			into = flatten(a, into)
		} else {
			into = append(into, o)
		}
	}
	return into
}

// groups sorts the operands of an and into groups that one message each must
// meet, and the rest, which is not about one message.
func (c *callCompiler) groups(nodes []Node) (groups [][]Node, rest []Node, err *Error) {
	var shared, response []Node
	requests := false
	equals := map[string]bool{}
	for _, n := range nodes {
		s, err := c.shape(n)
		if err != nil {
			return nil, nil, err
		}
		switch {
		case !s.single:
			rest = append(rest, n)
			continue
		case s.equal != "" && equals[s.equal]:
			groups = append(groups, []Node{n})
			continue
		case s.response:
			response = append(response, n)
		default:
			shared = append(shared, n)
		}
		requests = requests || s.request
		equals[s.equal] = true
	}
	if !requests {
		shared, response = append(shared, response...), nil
	}
	for _, g := range [][]Node{shared, response} {
		if len(g) > 0 {
			groups = append(groups, g)
		}
	}
	return groups, rest, nil
}

// shape says what an expression asks of messages.
type shape struct {
	// single: it is met by a message, and by one alone.
	single bool
	// request, response: it is about what only these have.
	request, response bool
	// equal is the field that it demands one value of.
	equal string
}

func (c *callCompiler) shape(n Node) (shape, *Error) {
	switch n := n.(type) {
	case *Text:
		return shape{single: true}, nil
	case *Cond:
		f, err := c.target.resolve(n)
		if err != nil {
			return shape{}, err
		}
		s := shape{single: f.Scope == Record && !negativeOnCalls(n), request: f.side == requestSide, response: f.side == responseSide}
		if n.Op == Eq && len(f.columns) == 1 && !f.header { // a message may have a header twice
			s.equal = f.Name
		}
		return s, nil
	case *Not:
		return shape{}, nil
	case *And:
		return c.shapeOf(n.Nodes, true)
	case *Or:
		return c.shapeOf(n.Nodes, false)
	}
	panic(fmt.Sprintf("filter: unknown node %T", n))
}

// negativeOnCalls reports whether a call meets a condition when none of its messages
// meets the opposite. Most messages lack most headers: pai_user != "" asks for calls
// of which a message has one, pai_user = "" for those of which none has.
func negativeOnCalls(n *Cond) bool {
	_, negative := n.Op.negative()
	if nothing := len(n.Values) == 1 && n.Values[0].Text == ""; nothing && (n.Op == Eq || n.Op == Ne) {
		return n.Op == Eq
	}
	return negative
}

// shapeOf is the shape of several expressions joined. Those joined by and are
// not about a single message when groups would part them.
func (c *callCompiler) shapeOf(nodes []Node, and bool) (shape, *Error) {
	out := shape{single: true}
	equals := map[string]bool{}
	for _, n := range nodes {
		s, err := c.shape(n)
		if err != nil || !s.single || (and && s.equal != "" && equals[s.equal]) {
			return shape{}, err
		}
		equals[s.equal] = true
		out.request = out.request || s.request
		out.response = out.response || s.response
	}
	if and && out.request && out.response {
		return shape{}, nil
	}
	return out, nil
}

func (c *callCompiler) or(n *Or) (string, prefilter, *Error) {
	parts := make([]string, len(n.Nodes))
	pres := make([]string, len(n.Nodes))
	all, ids := prefilter{score: scoreID}, true
	for i, o := range n.Nodes {
		var pre prefilter
		var err *Error
		if parts[i], pre, err = c.call(o); err != nil {
			return "", pre, err
		}
		pres[i] = pre.sql
		all.score = min(all.score, pre.score)
		if all.ids = append(all.ids, pre.ids...); pre.ids == nil {
			ids = false
		}
	}
	if !ids {
		all.ids = nil
	}
	if all.score > scoreNone {
		all.sql = "(" + strings.Join(pres, " OR ") + ")"
	}
	return "(" + strings.Join(parts, " OR ") + ")", all, nil
}
