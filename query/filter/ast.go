package filter

// Node is an expression: *And, *Or, *Not, *Cond or *Text.
type Node interface {
	// Pos is the offset of its first byte in the expression.
	Pos() int
}

// And holds when every one of its two or more operands does.
type And struct{ Nodes []Node }

// Or holds when one of its two or more operands does.
type Or struct{ Nodes []Node }

// Not holds when its operand does not.
type Not struct {
	Node Node
	At   int
}

// Cond is `field op value`.
type Cond struct {
	// Field as written.
	Field string
	At    int
	Op    Op
	OpPos int
	// Values has one value, or several after in.
	Values []Value
}

// Text is a value alone.
type Text struct{ Value Value }

// Value is a value as written.
type Value struct {
	// Text is the value, without quotes and escapes.
	Text string
	At   int
	// Quoted says that it stood in quotes.
	Quoted bool
}

// Pos implements Node.
func (n *And) Pos() int { return n.Nodes[0].Pos() }

// Pos implements Node.
func (n *Or) Pos() int { return n.Nodes[0].Pos() }

// Pos implements Node.
func (n *Not) Pos() int { return n.At }

// Pos implements Node.
func (n *Cond) Pos() int { return n.At }

// Pos implements Node.
func (n *Text) Pos() int { return n.Value.At }

// Op is an operator.
type Op uint8

// The operators.
const (
	Eq Op = iota + 1
	Ne
	Lt
	Gt
	Le
	Ge
	Like
	NotLike
	Match
	NotMatch
	In
	NotIn
)

var opNames = [...]string{
	Eq: "=", Ne: "!=", Lt: "<", Gt: ">", Le: "<=", Ge: ">=", Like: "like", NotLike: "not like",
	Match: "~", NotMatch: "!~", In: "in", NotIn: "not in",
}

// String is the operator as it is written.
func (o Op) String() string { return opNames[o] }

// negative reports whether the operator is the complement of another, which it
// returns.
func (o Op) negative() (Op, bool) {
	switch o {
	case Ne:
		return Eq, true
	case NotLike:
		return Like, true
	case NotMatch:
		return Match, true
	case NotIn:
		return In, true
	}
	return o, false
}
