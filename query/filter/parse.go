package filter

import "fmt"

// Parse reads an expression. The node is nil when it is empty. An error is an
// *Error.
func Parse(input string) (Node, error) {
	if len(input) > MaxLength {
		return nil, &Error{
			Input: input, Pos: MaxLength,
			Got: fmt.Sprintf("%d bytes", len(input)), Expected: fmt.Sprintf("at most %d bytes", MaxLength),
		}
	}
	p := &parser{lex: lexer{input: input}}
	node, err := p.parse()
	if err != nil {
		return nil, err
	}
	return node, nil
}

type parser struct {
	lex        lexer
	tok        token // the token looked at
	depth      int
	conditions int
}

func (p *parser) parse() (Node, *Error) {
	if err := p.advance(); err != nil {
		return nil, err
	}
	if p.tok.kind == tokEnd {
		return nil, nil
	}
	node, err := p.or()
	if err != nil {
		return nil, err
	}
	if p.tok.kind != tokEnd {
		return nil, p.fail("and, or, or the end")
	}
	return node, nil
}

func (p *parser) advance() (err *Error) {
	p.tok, err = p.lex.next()
	return err
}

func (p *parser) fail(expected string) *Error { return p.failAt(p.tok, expected) }

func (p *parser) failAt(t token, expected string) *Error {
	return &Error{Input: p.lex.input, Pos: t.pos, Got: t.describe(), Expected: expected}
}

func (p *parser) or() (Node, *Error) {
	nodes, err := p.list("or", p.and)
	if err != nil || len(nodes) == 1 {
		return first(nodes), err
	}
	return &Or{Nodes: nodes}, nil
}

func (p *parser) and() (Node, *Error) {
	nodes, err := p.list("and", p.not)
	if err != nil || len(nodes) == 1 {
		return first(nodes), err
	}
	return &And{Nodes: nodes}, nil
}

// list reads operands joined by a keyword.
func (p *parser) list(keyword string, operand func() (Node, *Error)) ([]Node, *Error) {
	var nodes []Node
	for {
		node, err := operand()
		if err != nil {
			return nil, err
		}
		nodes = append(nodes, node)
		if !p.tok.keyword(keyword) {
			return nodes, nil
		}
		if err := p.advance(); err != nil {
			return nil, err
		}
	}
}

func first(nodes []Node) Node {
	if len(nodes) == 0 {
		return nil
	}
	return nodes[0]
}

func (p *parser) not() (Node, *Error) {
	if !p.tok.keyword("not") {
		return p.primary()
	}
	at := p.tok
	if err := p.enter(at); err != nil {
		return nil, err
	}
	defer p.leave()
	if err := p.advance(); err != nil {
		return nil, err
	}
	node, err := p.not()
	if err != nil {
		return nil, err
	}
	return &Not{Node: node, At: at.pos}, nil
}

func (p *parser) enter(at token) *Error {
	if p.depth++; p.depth > MaxDepth {
		return p.failAt(at, fmt.Sprintf("at most %d parentheses and nots inside one another", MaxDepth))
	}
	return nil
}

func (p *parser) leave() { p.depth-- }

// primary reads a parenthesis, a condition or a value alone.
func (p *parser) primary() (Node, *Error) {
	at := p.tok
	switch {
	case at.kind == tokOpen:
		if err := p.enter(at); err != nil {
			return nil, err
		}
		defer p.leave()
		if err := p.advance(); err != nil {
			return nil, err
		}
		node, err := p.or()
		if err != nil {
			return nil, err
		}
		if p.tok.kind != tokClose {
			return nil, p.fail("and, or, or )")
		}
		return node, p.advance()
	case at.kind == tokString, at.kind == tokWord && !isKeyword(at):
		if p.conditions++; p.conditions > MaxConditions {
			return nil, p.failAt(at, fmt.Sprintf("at most %d conditions", MaxConditions))
		}
		return p.condition(at)
	}
	return nil, p.fail("a field, a value, not or (")
}

func isKeyword(t token) bool {
	for _, k := range []string{"and", "or", "not", "in", "like"} {
		if t.keyword(k) {
			return true
		}
	}
	return false
}

// operators that are written with characters.
var symbols = map[string]Op{
	"=": Eq, "!=": Ne, "<": Lt, ">": Gt, "<=": Le, ">=": Ge, "~": Match, "!~": NotMatch,
}

const expectedOp = "an operator (= != < > <= >= like ~ in)"

// condition reads what follows a field or a value alone.
func (p *parser) condition(subject token) (Node, *Error) {
	if err := p.advance(); err != nil {
		return nil, err
	}
	header := p.tok.kind == tokString && isHeaderWord(subject)
	if header {
		// header "X-Name" is header.X-Name, for names that no bare word can hold.
		if p.tok.text == "" {
			return nil, p.fail("the name of a header")
		}
		subject.text += "." + p.tok.text
		if err := p.advance(); err != nil {
			return nil, err
		}
	}
	opTok := p.tok
	op, negated, found := Op(0), false, false
	if opTok.keyword("not") {
		negated = true
		if err := p.advance(); err != nil {
			return nil, err
		}
	}
	switch {
	case p.tok.kind == tokOp:
		op, found = symbols[p.tok.text], !negated
	case p.tok.keyword("like"):
		op, found = Like, true
	case p.tok.keyword("in"):
		op, found = In, true
	}
	switch {
	case negated && !found:
		return nil, p.fail("like or in after not")
	case negated && op == Like:
		op = NotLike
	case negated:
		op = NotIn
	case !found:
		if subject.kind == tokWord && (header || wantsOperator(subject.text)) {
			return nil, p.fail(expectedOp)
		}
		return &Text{Value: Value{Text: subject.text, At: subject.pos, Quoted: subject.kind == tokString}}, nil
	}
	if subject.kind == tokString {
		return nil, p.failAt(subject, "a field before an operator")
	}
	values, err := p.values(op)
	if err != nil {
		return nil, err
	}
	cond := &Cond{Field: subject.text, At: subject.pos, Op: op, OpPos: opTok.pos, Values: values}
	return cond, p.advance()
}

// isHeaderWord reports whether the token says that a header's name follows.
func isHeaderWord(t token) bool { return t.keyword("header") || t.keyword("headers") }

// values reads what stands right of an operator. The token looked at is then
// its last one.
func (p *parser) values(op Op) ([]Value, *Error) {
	if err := p.advanceValue(); err != nil {
		return nil, err
	}
	if (op != In && op != NotIn) || p.tok.kind != tokOpen {
		v, err := p.value("a value")
		return []Value{v}, err
	}
	var values []Value
	for {
		if err := p.advanceValue(); err != nil {
			return nil, err
		}
		if len(values) == MaxValues {
			return nil, p.fail(fmt.Sprintf("at most %d values", MaxValues))
		}
		v, err := p.value("a value")
		if err != nil {
			return nil, err
		}
		values = append(values, v)
		if err := p.advanceValue(); err != nil {
			return nil, err
		}
		switch p.tok.kind {
		case tokClose:
			return values, nil
		case tokComma:
		default:
			return nil, p.fail(", or )")
		}
	}
}

func (p *parser) advanceValue() (err *Error) {
	p.tok, err = p.lex.value()
	return err
}

func (p *parser) value(expected string) (Value, *Error) {
	if p.tok.kind != tokWord && p.tok.kind != tokString {
		return Value{}, p.fail(expected)
	}
	if isKeyword(p.tok) {
		return Value{}, p.fail(expected + " (a keyword is one in quotes)")
	}
	return Value{Text: p.tok.text, At: p.tok.pos, Quoted: p.tok.kind == tokString}, nil
}
