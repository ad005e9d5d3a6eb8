package filter

import (
	"strings"
	"time"

	"github.com/heplake/heplake/schema"
)

// Scope says what a field is about.
type Scope uint8

const (
	// Record is a column of single messages, reports or events.
	Record Scope = iota + 1
	// Call is a figure of whole calls.
	Call
)

// Type is the kind of a field's values.
type Type uint8

// The types of fields.
const (
	String Type = iota + 1
	Number
	Address
	Timestamp
	List // of strings: a condition holds when one of them meets it
)

// Field is something a condition can be about.
type Field struct {
	Name  string
	Doc   string
	Scope Scope
	Type  Type
	// Values lists every value there is, where they are few and known.
	Values []string

	columns []string // SQL identifiers; more than one: any of them
	// computed makes the SQL of a field that no column holds; column is one of
	// columns, which it is computed of.
	computed func(c *compiler, column string) string
	sqlType  string // of the parameter compared with
	integer  bool
	signed   bool
	min      float64
	max      float64
	class    bool          // takes 4xx
	fold     string        // "upper", "lower": how values are written
	mapKey   string        // of a map column: the key asked for
	header   bool          // mapKey is a header, which is in raw when it was not kept
	unit     time.Duration // of a number that is a length of time
	side     side
}

// side says which messages have a field at all.
type side uint8

const (
	anySide side = iota
	requestSide
	responseSide
)

// Ops lists the operators that the field takes.
func (f Field) Ops() []Op {
	switch f.Type {
	case Number, Timestamp:
		return []Op{Eq, Ne, Lt, Gt, Le, Ge, In, NotIn}
	case Address:
		return []Op{Eq, Ne, In, NotIn}
	default:
		return []Op{Eq, Ne, Like, NotLike, Match, NotMatch, In, NotIn}
	}
}

// aliases are other names of fields: Homer's and what people type. Keys are
// folded (see fold).
var aliases = map[string]string{
	"callid": "call_id", "sid": "call_id",
	"correlationid": "correlation_id",
	"useragent":     "user_agent", "ua": "user_agent",
	"srcip": "src_ip", "sourceip": "src_ip", "src": "src_ip", "source": "src_ip",
	"dstip": "dst_ip", "destinationip": "dst_ip", "destip": "dst_ip", "dst": "dst_ip", "destination": "dst_ip",
	"b2bcallid": "correlation_id", "b2bid": "correlation_id", "xcallid": "correlation_id", "callidaleg": "correlation_id", "callidbleg": "correlation_id", "xcid": "correlation_id",
	"srcport": "src_port", "sourceport": "src_port",
	"dstport": "dst_port", "destinationport": "dst_port", "destport": "dst_port",
	"protocol": "transport", "proto": "transport",
	"captureid": "capture_id", "nodename": "node", "capturenode": "node",
	"fromuser": "from_user", "from": "from_user", "caller": "from_user", "anumber": "from_user",
	"touser": "to_user", "to": "to_user", "callee": "to_user", "bnumber": "to_user",
	"ruriuser": "ruri_user", "ruri": "ruri_user",
	"fromdomain": "from_domain", "fromhost": "from_domain",
	"todomain": "to_domain", "tohost": "to_domain",
	"ruridomain": "ruri_domain", "rurihost": "ruri_domain",
	"fromtag": "from_tag", "totag": "to_tag",
	"statuscode": "status", "code": "status", "responsecode": "status",
	"statustext": "reason", "replyreason": "reason", "reasonphrase": "reason",
	"cseqmethod": "cseq_method", "cseqnumber": "cseq",
	"piduser": "pai_user", "paiuser": "pai_user", "pai": "pai_user",
	"authuser":    "auth_user",
	"contactuser": "contact_user", "contacthost": "contact_host", "contactport": "contact_port", "contactdomain": "contact_host",
	"branch": "via_branch", "viabranch": "via_branch", "via1branch": "via_branch",
	"viahost": "via_host", "viaip": "originator_ip", "viaport": "via_port",
	"origip": "originator_ip", "originatorhost": "via_host", "originatorport": "via_port", "origport": "via_port", "originator": "via_host",
	"requesturi": "ruri_uri", "rurifull": "ruri_uri", "uri": "ruri_uri", "fromfull": "from_uri", "tofull": "to_uri",
	"diversionuser": "diversion", "divertinguser": "diversion",
	"authorizationuser": "auth_user", "authname": "auth_user", "username": "auth_user",
	"passertedidentity": "pai_user", "assertedidentity": "pai_user",
	"agent": "user_agent", "fromnumber": "from_user", "tonumber": "to_user",
	"contenttype":  "content_type",
	"reasonheader": "reason_header", "parseerror": "parse_error",
	"payload": "raw", "message": "raw", "text": "raw",
	"timestamp": "time", "date": "time",
	"q850cause": "q850", "cause": "q850", "sdpbody": "sdp", "body": "raw",
	"finalstatus": "final_status", "finalreason": "final_reason", "releasedby": "released_by",
	"duration": "duration_s", "callduration": "duration_s", "pdd": "pdd_ms", "setuptime": "pdd_ms", "postdialdelay": "pdd_ms",
	"srd": "srd_ms", "sdd": "sdd_ms", "ringtime": "ring_ms",
	"mos": "mos_min", "loss": "loss_percent", "jitter": "jitter_ms",
	"codec": "codecs", "lastseen": "last_seen", "starttime": "start", "endtime": "end",
	"number": "user", "host": "ip", "address": "ip",
}

// prefixes are the namespaces of Homer's names.
var prefixes = []string{"sip.", "net.", "data_header.", "protocol_header.", "call."}

// fold is a name without case, underscores and hyphens.
func fold(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '_' || r == '-':
			return -1
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return r
	}, name)
}

// columnField is the field of a column; ok is false where it cannot be one.
func columnField(c schema.Column) (f Field, ok bool) {
	f = Field{Name: c.Name, Doc: c.Doc, Scope: Record, columns: []string{c.Name}}
	if !f.setKind(c.Kind) {
		return f, false
	}
	switch c.Name {
	case "method", "cseq_method":
		f.fold = "upper"
	case "transport":
		f.fold = "lower"
	case "status":
		f.class = true
	}
	f.setUnit()
	switch c.Name {
	case "method", "ruri_user", "ruri_domain":
		f.side = requestSide
	case "status", "reason":
		f.side = responseSide
	}
	return f, true
}

// setKind sets what follows from a column's kind.
func (f *Field) setKind(k schema.Kind) bool {
	number := func(sqlType string, minimum, maximum float64) {
		f.Type, f.sqlType, f.integer, f.min, f.max = Number, sqlType, true, minimum, maximum
		f.signed = minimum < 0
	}
	switch k {
	case schema.Enum, schema.Text, schema.Map:
		f.Type, f.sqlType = String, "String"
	case schema.Enums:
		f.Type, f.sqlType = List, "String"
	case schema.Uint8:
		number("UInt8", 0, 1<<8-1)
	case schema.Uint16:
		number("UInt16", 0, 1<<16-1)
	case schema.Uint32:
		number("UInt32", 0, 1<<32-1)
	case schema.Uint64:
		number("UInt64", 0, 1<<63)
	case schema.Int64:
		number("Int64", -1<<63, 1<<63-1)
	case schema.Float32, schema.Metrics:
		f.Type, f.sqlType, f.min, f.max = Number, "Float64", -1e300, 1e300
	case schema.Addr:
		f.Type, f.sqlType = Address, "IPv6"
	case schema.Time:
		f.Type, f.sqlType = Timestamp, "Int64"
	default:
		return false
	}
	return true
}

// combined are fields that stand for any of several columns.
func combined(t *schema.Table) []Field {
	var out []Field
	add := func(name, doc string, columns ...string) {
		c, ok := t.Column(columns[0])
		if !ok {
			return
		}
		f, _ := columnField(c)
		f.Name, f.Doc, f.columns, f.side = name, doc, columns, anySide
		out = append(out, f)
	}
	add("ip", "Sender or receiver of the packet.", "src_ip", "dst_ip")
	add("port", "Port of the sender or the receiver.", "src_port", "dst_port")
	if t == &schema.SIP {
		add("user", "User of From, To or the Request-URI.", "from_user", "to_user", "ruri_user")
		add("domain", "Host of From, To or the Request-URI.", "from_domain", "to_domain", "ruri_domain")
		add("contact", "User or host of the first Contact.", "contact_user", "contact_host")
		add("tag", "Tag of From or To.", "from_tag", "to_tag")
		out = append(out, computedFields()...)
	}
	return out
}

// setUnit notes what a number that is a length of time is counted in, which its
// name says: such a field takes 30s and 2m as well.
func (f *Field) setUnit() {
	switch {
	case f.Type != Number:
	case strings.HasSuffix(f.Name, "_ms"):
		f.unit = time.Millisecond
	case strings.HasSuffix(f.Name, "_s"):
		f.unit = time.Second
	}
}

// callFields are the figures of a call, which are the columns of the view calls.
func callFields() []Field {
	var out []Field
	for _, c := range schema.Calls.Columns {
		// What messages have too is asked of the messages.
		if _, ok := schema.SIP.Column(c.Name); ok {
			continue
		}
		f := Field{Name: c.Name, Doc: c.Doc, Scope: Call, columns: []string{c.Name}}
		if !f.setKind(c.Kind) {
			continue
		}
		f.setUnit()
		switch c.Name {
		case "outcome":
			f.Values, f.fold = schema.Outcomes(), "lower"
		case "released_by":
			f.Values, f.fold = schema.Releasers(), "lower"
		case "final_status":
			f.class = true
		}
		out = append(out, f)
	}
	return out
}

// wantsOperator reports whether a word alone is more likely a condition not
// finished than a value.
func wantsOperator(word string) bool {
	for _, t := range []*schema.Table{&schema.SIP, &schema.Media, &schema.Events} {
		if _, ok := t.Column(strings.ToLower(word)); ok {
			return true
		}
	}
	_, ok := callFieldNames[strings.ToLower(word)]
	return ok
}

var callFieldNames = func() map[string]bool {
	names := map[string]bool{}
	for _, f := range callFields() {
		names[f.Name] = true
	}
	return names
}()
