package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/heplake/heplake/query/filter"
)

// This file turns Homer's way of writing a search into the filter language.

// condition is one condition of a search.
type condition struct {
	// parameter is where it stands in the request, name what it is called there.
	parameter, name string
	// expr is the condition in the filter language.
	expr string
	// whole: the client wrote expr, so that positions in it mean something.
	whole bool
	// or: it is an alternative to all that stands before it.
	or bool
}

// setting is a value of a search that is no condition.
type setting struct{ pointer, text string }

// Homer's profiles: the kinds of SIP messages that it keeps apart.
var (
	callMethods = []string{"INVITE", "ACK", "BYE", "CANCEL", "PRACK", "UPDATE", "INFO", "REFER"}
	profiles    = map[string]string{
		"1_call":         "cseq_method in (" + strings.Join(callMethods, ", ") + ")",
		"1_registration": "cseq_method = REGISTER",
		"1_default":      "cseq_method not in (REGISTER, " + strings.Join(callMethods, ", ") + ")",
	}
)

// unknownProfile is the error of a request that names a profile that is not there.
type unknownProfile struct{ *problem }

func (p *unknownProfile) Unwrap() error { return p.problem }

// profileOf is the profile that a call's opening method is in.
func profileOf(method string) string {
	switch {
	case method == "REGISTER":
		return "1_registration"
	case slices.Contains(callMethods, method):
		return "1_call"
	default:
		return "1_default"
	}
}

// isProfile tells Homer's keys (1_call) from names of fields.
var isProfile = regexp.MustCompile(`^\d+_\w+$`)

// readSearch reads param.search in either form and makes one expression of it.
// or joins conditions by or. The limit is the one that Homer hides among the
// conditions.
func readSearch(search map[string]json.RawMessage, or bool) (expr string, limit setting, err error) {
	var fields []condition
	var groups []string
	for _, key := range sortedKeys(search) {
		pointer := "/param/search/" + escapePointer(key)
		if isProfile.MatchString(key) {
			group, l, err := readProfile(pointer, key, search[key], or)
			if err != nil {
				return "", limit, err
			}
			groups = append(groups, group)
			if l.text != "" {
				limit = l
			}
			continue
		}
		values, err := readValues(search[key])
		if err != nil {
			return "", limit, bad(pointer, "param.search."+key+": "+err.Error())
		}
		c, err := fieldCondition(pointer, key, values)
		if err != nil {
			return "", limit, err
		}
		fields = append(fields, c)
	}
	expr, err = join(fields, or)
	switch {
	case err != nil || len(groups) == 0:
		return expr, limit, err
	case expr == "":
		return strings.Join(groups, " or "), limit, nil
	default:
		return "(" + expr + ") and (" + strings.Join(groups, " or ") + ")", limit, nil
	}
}

// escapePointer escapes a member's name for a JSON pointer.
func escapePointer(s string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(s)
}

// readValues reads the value of a field: a string, a number, or a list of them.
func readValues(raw json.RawMessage) ([]string, error) {
	var list []scalar
	if len(raw) > 0 && raw[0] == '[' {
		if err := json.Unmarshal(raw, &list); err != nil {
			return nil, errors.New("takes strings and numbers in its list")
		}
	} else {
		var one scalar
		if err := json.Unmarshal(raw, &one); err != nil || !one.set {
			return nil, errors.New("takes a string, a number or a list of them")
		}
		list = []scalar{one}
	}
	var out []string
	for _, v := range list {
		if !v.set {
			return nil, errors.New("takes no null")
		}
		out = append(out, v.text)
	}
	return out, nil
}

// readText reads a string or a number; "" when there is none.
func readText(raw json.RawMessage) (string, error) {
	var v scalar
	if len(raw) == 0 {
		return "", nil
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		return "", errors.New("takes a string or a number")
	}
	return v.text, nil
}

// ignoredNames are settings of Homer's search form that are no conditions.
var ignoredNames = []string{"targetResultsContainer", "timezone", "profile"}

// readProfile reads the list of conditions of one of Homer's profiles and makes
// one expression of it and of what the profile itself means.
func readProfile(pointer, key string, raw json.RawMessage, or bool) (expr string, limit setting, err error) {
	profile, ok := profiles[key]
	if !ok {
		return "", limit, &unknownProfile{bad(pointer, fmt.Sprintf("unknown profile %q; there are %s", key, strings.Join(sortedKeys(profiles), ", ")))}
	}
	var items []struct {
		Name  string          `json:"name"`
		Value json.RawMessage `json:"value"`
	}
	if err := json.Unmarshal(raw, &items); err != nil {
		return "", limit, bad(pointer, "param.search."+key+` takes a list of {"name": …, "value": …}`)
	}
	var conditions []condition
	for i, item := range items {
		at := pointer + "/" + strconv.Itoa(i)
		if slices.Contains(ignoredNames, item.Name) {
			continue
		}
		value, err := readText(item.Value)
		if err != nil {
			return "", limit, bad(at, item.Name+": "+err.Error())
		}
		switch {
		case item.Name == "limit":
			limit = setting{at, value}
		case value == "":
			// An empty field of the form asks nothing.
		case item.Name == "smartinput":
			conditions = append(conditions, condition{parameter: at, name: item.Name, expr: value, whole: true})
		default:
			c, err := homerCondition(at, item.Name, value)
			if err != nil {
				return "", limit, err
			}
			conditions = append(conditions, c)
		}
	}
	expr, err = join(conditions, or)
	if err != nil || expr == "" {
		return profile, limit, err
	}
	return "(" + profile + " and (" + expr + "))", limit, nil
}

// homerCondition reads Homer's language of values: a;b is one of several, % any
// run of characters, != before it the contrary, || before it an alternative to
// the conditions before, isEmpty and isNull the absence of a value.
func homerCondition(parameter, name, value string) (condition, error) {
	value, or := strings.CutPrefix(value, "||")
	value, not := strings.CutPrefix(value, "!=")
	values := strings.Split(value, ";")
	if value == "isEmpty" || value == "isNull" {
		values = []string{""}
	}
	c, err := fieldCondition(parameter, name, values)
	if err == nil && not {
		c.expr = "not " + c.expr
	}
	c.or = or
	return c, err
}

// plainName is what names of fields look like; anything else could be taken for
// a piece of an expression.
var plainName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.\-]{0,99}$`)

// fieldCondition is the condition that a field has one of the values.
func fieldCondition(parameter, name string, values []string) (condition, error) {
	c := condition{parameter: parameter, name: name}
	if name == "smartinput" && len(values) == 1 {
		c.expr, c.whole = values[0], true
		return c, nil
	}
	if !plainName.MatchString(name) {
		return c, bad(parameter, fmt.Sprintf("%q is not the name of a field", name))
	}
	var parts, plain []string
	for _, v := range values {
		if expr := special(name, v); expr != "" {
			parts = append(parts, expr)
		} else {
			plain = append(plain, quote(v))
		}
	}
	switch len(plain) {
	case 0:
	case 1:
		parts = append(parts, name+" = "+plain[0])
	default:
		parts = append(parts, name+" in ("+strings.Join(plain, ", ")+")")
	}
	if len(parts) == 0 {
		return c, bad(parameter, name+" has no value")
	}
	c.expr = "(" + strings.Join(parts, " or ") + ")"
	return c, nil
}

var (
	allDigits   = regexp.MustCompile(`^\d+$`)
	cseqOfHomer = regexp.MustCompile(`^(\d+) ([A-Z]+)$`)
	// ipProtocols are IP protocol numbers, which is how Homer names transports.
	ipProtocols = map[string]string{"6": "tcp", "17": "udp", "22": "tls", "132": "sctp"}
)

// special is the condition for values that mean more than themselves; "" for
// those that do not.
func special(name, value string) string {
	field := name[strings.LastIndexByte(name, '.')+1:]
	switch {
	case field == "raw":
		return name + " ~ " + quote(rawPattern(value))
	case field == "method" && allDigits.MatchString(value):
		return "status = " + value // Homer has the status of a response in method
	case field == "cseq" && cseqOfHomer.MatchString(value):
		m := cseqOfHomer.FindStringSubmatch(value)
		return "(cseq = " + m[1] + " and cseq_method = " + m[2] + ")"
	case field == "protocol" && ipProtocols[value] != "":
		return "transport = " + ipProtocols[value]
	case strings.Contains(value, "%"):
		return name + " like " + quote(likePattern(value))
	}
	return ""
}

// likePattern leaves % its meaning and takes that of _, which stands for itself
// in the names of users.
func likePattern(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '_':
			b.WriteString(`\_`)
		case c == '\\' && (i+1 == len(s) || !strings.ContainsRune(`%_\`, rune(s[i+1]))):
			b.WriteString(`\\`)
		case c == '\\':
			b.WriteByte(c)
			i++
			b.WriteByte(s[i])
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// rawPattern finds a text in messages, whatever its case; % is any run of
// characters, line ends included.
func rawPattern(s string) string {
	parts := strings.Split(strings.Trim(s, "%"), "%")
	for i, p := range parts {
		parts[i] = regexp.QuoteMeta(p)
	}
	return "(?is)" + strings.Join(parts, ".*")
}

// quote writes a value as a string of the filter language.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\r", `\r`, "\t", `\t`).Replace(s) + `"`
}

// quoteAll writes a list of values.
func quoteAll(list []string) string {
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = quote(v)
	}
	return strings.Join(out, ", ")
}

// join makes one expression of the conditions, joined by and, or where or says
// so by or; "" when there are none. Each is checked by itself first,
// so that an error names the one that is wrong.
func join(conditions []condition, or bool) (string, error) {
	var b strings.Builder
	for i, c := range conditions {
		if err := c.check(); err != nil {
			return "", err
		}
		if len(conditions) == 1 {
			return c.expr, nil
		}
		switch {
		case i == 0:
		case or || c.or:
			b.WriteString(" or ")
		default:
			b.WriteString(" and ")
		}
		b.WriteString("(" + c.expr + ")")
	}
	return b.String(), nil
}

// check compiles the condition to see whether it is right.
func (c condition) check() error {
	_, err := filter.CompileCalls(c.expr, new(filter.Params))
	var f *filter.Error
	if !errors.As(err, &f) {
		return err
	}
	p := &problem{Status: 400, kind: "filter", Parameter: c.parameter, Detail: fmt.Sprintf("%s: got %s, expected %s", c.name, f.Got, f.Expected)}
	if c.whole {
		p.Detail, p.Column = c.name+": "+f.Error(), f.Column()
	}
	return p
}

func sortedKeys[V any](m map[string]V) []string {
	return slices.Sorted(maps.Keys(m))
}
