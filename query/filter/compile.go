package filter

import (
	"fmt"
	"strings"
)

// Compile makes an SQL condition on single rows of an expression. The target is
// Messages, Reports or Events. Values go into params; the text consists of
// column names, operators and placeholders. It is "1" for a nil node. The error
// is an *Error.
func (t *Target) Compile(input string, params *Params) (string, error) {
	plan, err := t.CompileRows(input, params)
	if err != nil {
		return "", err
	}
	return plan.Where, nil
}

// RowPlan is an expression about single rows, compiled.
type RowPlan struct {
	// Where is the condition; "1" for an empty expression.
	Where string
	// IDs are such that every row that matches has one of them as Call-ID or as
	// correlation id; nil when the condition demands none.
	IDs []string
	// Indexed says that the condition demands values that bloom filters are kept of,
	// so that looking through much time for it costs little.
	Indexed bool
}

// CompileRows is Compile, and says as well how the condition is best looked for.
func (t *Target) CompileRows(input string, params *Params) (RowPlan, error) {
	node, err := Parse(input)
	if err != nil || node == nil {
		return RowPlan{Where: "1"}, err
	}
	c := compiler{target: t, params: params}
	sql, e := c.row(node)
	if e != nil {
		e.Input = input
		return RowPlan{}, e
	}
	return RowPlan{Where: sql, IDs: c.ids(node), Indexed: c.score(node) >= scoreParty}, nil
}

type compiler struct {
	target *Target
	params *Params
}

// row compiles a condition on one row.
func (c *compiler) row(n Node) (string, *Error) {
	switch n := n.(type) {
	case *And:
		return c.join(n.Nodes, " AND ", c.row)
	case *Or:
		return c.join(n.Nodes, " OR ", c.row)
	case *Not:
		sql, err := c.row(n.Node)
		return "(NOT " + sql + ")", err
	case *Text:
		return c.text(n)
	case *Cond:
		f, err := c.target.resolve(n)
		if err != nil {
			return "", err
		}
		return c.cond(n, f)
	}
	panic(fmt.Sprintf("filter: unknown node %T", n))
}

func (c *compiler) join(nodes []Node, operator string, compile func(Node) (string, *Error)) (string, *Error) {
	parts := make([]string, len(nodes))
	for i, n := range nodes {
		var err *Error
		if parts[i], err = compile(n); err != nil {
			return "", err
		}
	}
	return "(" + strings.Join(parts, operator) + ")", nil
}

// text compiles a value alone.
func (c *compiler) text(n *Text) (string, *Error) {
	op := Eq
	if strings.Contains(n.Value.Text, "%") {
		op = Like
	}
	var parts []string
	for _, column := range c.target.text {
		f := c.target.fields[fold(column)]
		sql, err := c.cond(&Cond{Field: column, At: n.Value.At, Op: op, OpPos: n.Value.At, Values: []Value{n.Value}}, f)
		if err != nil {
			return "", err
		}
		parts = append(parts, sql)
	}
	return "(" + strings.Join(parts, " OR ") + ")", nil
}

// cond compiles one condition. A negative operator is the complement of its
// positive, also where the field stands for several columns.
func (c *compiler) cond(n *Cond, f Field) (string, *Error) {
	op, negative := n.Op.negative()
	values, err := checkCond(n, f, op, c.params.Zone)
	if err != nil {
		return "", err
	}
	parts := make([]string, len(f.columns))
	for i, column := range f.columns {
		parts[i] = c.compare(f, c.operand(f, column), op, values)
	}
	sql := parts[0]
	if len(parts) > 1 {
		sql = "(" + strings.Join(parts, " OR ") + ")"
	}
	if f.Scope == Call && f.Type != List {
		// A call without the figure does not meet the condition.
		sql = "ifNull(" + sql + ", 0)"
	}
	if negative {
		sql = "(NOT " + sql + ")"
	}
	return sql, nil
}

// operand is the SQL of the field itself. Keys of maps are found in any case,
// as header names are.
func (c *compiler) operand(f Field, column string) string {
	ident := "`" + column + "`"
	switch {
	case f.header:
		return c.headerValues(f.mapKey)
	case f.computed != nil:
		return f.computed(c, ident)
	case f.mapKey != "":
		return c.mapValue(ident, f.mapKey)
	case f.Type == Timestamp:
		return "toUnixTimestamp64Micro(" + ident + ")"
	}
	return ident
}

// mapValue is the value of a map's key, "" where the map lacks it.
func (c *compiler) mapValue(ident, name string) string {
	key := c.params.Add("String", strings.ToLower(name))
	return ident + "[arrayFirst(k -> lower(k) = " + key + ", mapKeys(" + ident + "))]"
}

// compare compiles a positive operator.
func (c *compiler) compare(f Field, operand string, op Op, values []operandValue) string {
	if f.Type == List || f.header {
		return "arrayExists(x -> " + c.compareAny("x", f, op, values) + ", " + operand + ")"
	}
	return c.compareAny(operand, f, op, values)
}

// compareAny joins the comparisons with each value: plain values by IN, ranges
// one by one.
func (c *compiler) compareAny(operand string, f Field, op Op, values []operandValue) string {
	var parts []string
	var plain []any
	for _, v := range values {
		switch {
		case v.isRange:
			parts = append(parts, "("+operand+" >= "+c.params.Add(f.sqlType, v.low)+" AND "+operand+" <= "+c.params.Add(f.sqlType, v.high)+")")
		default:
			plain = append(plain, v.low)
		}
	}
	switch {
	case len(plain) > 1:
		parts = append(parts, operand+" IN "+c.params.Add("Array("+f.sqlType+")", plain))
	case len(plain) == 1:
		v := c.params.Add(f.sqlType, plain[0])
		switch op {
		case Like:
			parts = append(parts, operand+" LIKE "+v)
		case Match:
			parts = append(parts, "match("+operand+", "+v+")")
		case In:
			parts = append(parts, operand+" = "+v)
		default:
			parts = append(parts, operand+" "+op.String()+" "+v)
		}
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return "(" + strings.Join(parts, " OR ") + ")"
}
