package export

import (
	"net/netip"
	"reflect"
	"strings"

	"github.com/heplake/heplake/query"
)

// Anonymiser gives calls pseudonyms: for users and numbers, domains and
// addresses, display names, Call-IDs, tags and branches, credentials, and what
// else in a message is somebody's. The same original has the same pseudonym
// wherever it occurs, in every call that the Anonymiser is given, and in those of
// every other one with the same key; length and shape are kept. Texts (the bodies
// of MESSAGE and the like, log lines) are blanked, ports, times, methods,
// statuses and codecs stay, and so does the call's ladder. Headers that are not
// known to be harmless are made unreadable.
//
// An Anonymiser is not safe for concurrent use.
type Anonymiser struct{ p *pseudonyms }

// NewAnonymiser returns an Anonymiser with the key; an empty key is a random one,
// which nobody knows.
func NewAnonymiser(key []byte) *Anonymiser { return &Anonymiser{newPseudonyms(key)} }

// Flow returns the flow with pseudonyms. The original is left as it is.
func (a *Anonymiser) Flow(f *query.Flow) *query.Flow {
	// First everything that is somebody's must be known: a name may stand in a log
	// line before the message that says whose it is.
	a.copy(f)
	return a.copy(f)
}

func (a *Anonymiser) copy(f *query.Flow) *query.Flow {
	out := a.value("", reflect.ValueOf(f)).Interface().(*query.Flow)
	for i := range f.Items {
		from, to := &f.Items[i], &out.Items[i]
		raw := string(rawOf(from))
		switch from.Kind {
		case query.KindSIP:
			raw = a.sip(raw)
		case query.KindMedia:
			raw = a.report(raw)
		default:
			raw = a.blank(raw)
		}
		to.RawBytes, to.Raw = []byte(raw), strings.ToValidUTF8(raw, "\uFFFD")
		to.Label = a.label(from, to)
	}
	return out
}

// label is an item's label with the pseudonyms in it.
func (a *Anonymiser) label(from, to *query.Item) string {
	if from.Kind == query.KindEvent {
		kind, text, _ := strings.Cut(from.Label, " ")
		return strings.TrimSpace(kind + " " + a.blank(text))
	}
	for _, user := range [][2]string{{from.RURIUser, to.RURIUser}, {from.ToUser, to.ToUser}} {
		if user[0] != "" && from.Label == from.Method+" "+user[0] {
			return from.Method + " " + user[1]
		}
	}
	return a.prose(from.Label)
}

// The fields of a flow that are no free text, by name.
var (
	plainFields = map[string]bool{
		"Method": true, "CSeqMethod": true, "Transport": true, "LinkedBy": true, "ReleasedBy": true, "ParseError": true, "Codecs": true, "Raw": true, "RawBytes": true, "Label": true,
	}
	userFields = map[string]bool{"FromUser": true, "ToUser": true, "RURIUser": true}
	hostFields = map[string]bool{"FromDomain": true, "ToDomain": true, "Tenant": true}
	nodeFields = map[string]bool{"Node": true, "Nodes": true}
	nameFields = map[string]bool{"Alias": true}
	idFields   = map[string]bool{"CallID": true, "CallIDs": true, "CorrelationID": true, "LinkValue": true}
)

var (
	addrType     = reflect.TypeFor[netip.Addr]()
	addrPortType = reflect.TypeFor[netip.AddrPort]()
	stringType   = reflect.TypeFor[string]()
)

// value copies a value, and gives pseudonyms to all strings and addresses in it:
// by its name where a field is known, else as free text, so that a field that
// was added to a flow since does not give anyone away.
func (a *Anonymiser) value(field string, v reflect.Value) reflect.Value {
	out := reflect.New(v.Type()).Elem()
	switch {
	case v.Type() == addrType:
		out.Set(reflect.ValueOf(a.p.addr(v.Interface().(netip.Addr))))
	case v.Type() == addrPortType:
		out.Set(reflect.ValueOf(a.p.addrPort(v.Interface().(netip.AddrPort))))
	case v.Type() == stringType:
		out.SetString(a.field(field, v.String()))
	case v.Kind() == reflect.Pointer && !v.IsNil():
		out.Set(a.value(field, v.Elem()).Addr())
	case v.Kind() == reflect.Slice && !v.IsNil():
		out.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
		for i := range v.Len() {
			out.Index(i).Set(a.value(field, v.Index(i)))
		}
	case v.Kind() == reflect.Map && !v.IsNil():
		out.Set(reflect.MakeMap(v.Type()))
		for _, k := range v.MapKeys() {
			out.SetMapIndex(a.value(field, k), a.value(field, v.MapIndex(k)))
		}
	case v.Kind() == reflect.Struct && exported(v.Type()):
		for i := range v.NumField() {
			out.Field(i).Set(a.value(v.Type().Field(i).Name, v.Field(i)))
		}
	default: // numbers, times, and words of our own
		out.Set(v)
	}
	return out
}

// exported reports whether all fields of a struct can be read: a time.Time's
// cannot.
func exported(t reflect.Type) bool {
	for i := range t.NumField() {
		if !t.Field(i).IsExported() {
			return false
		}
	}
	return true
}

func (a *Anonymiser) field(name, s string) string {
	switch {
	case s == "" || plainFields[name]:
		return s
	case userFields[name]:
		return a.user(s)
	case hostFields[name]:
		return a.p.host(s)
	case nodeFields[name]:
		if strings.Trim(s, "0123456789") == "" { // a capture id, which stays
			return s
		}
		return a.p.host(s)
	case idFields[name]:
		return a.p.id(s)
	case nameFields[name]:
		return a.display(s)
	}
	return a.prose(s)
}
