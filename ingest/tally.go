package ingest

import "github.com/heplake/heplake/ingest/sip"

// tally counts what goes by, for metrics. Names are those of known methods and
// valid codes, so that a hostile sender cannot make labels at will.
type tally struct {
	methods [len(methodNames)]uint64
	codes   [700]uint64 // by status code; 0 is every code that is none
	absurd  uint64      // times not believed
}

// methodNames are those registered with IANA, and KDMQ of Kamailio's clusters.
// The first stands for all others.
var methodNames = [...]string{
	"OTHER", "ACK", "BYE", "CANCEL", "INFO", "INVITE", "MESSAGE", "NOTIFY", "OPTIONS",
	"PRACK", "PUBLISH", "REFER", "REGISTER", "SUBSCRIBE", "UPDATE", "KDMQ",
}

// methodNumber is the method's place in methodNames. Few share a length: it
// takes about one comparison.
func methodNumber(method []byte) int {
	for i, name := range methodNames[1:] {
		if len(name) == len(method) && name == string(method) {
			return i + 1
		}
	}
	return 0
}

// count counts a message's method or status code.
func (t *tally) count(m *sip.Message) {
	if m.Response {
		code := m.Status
		if code < 100 || int(code) >= len(t.codes) {
			code = 0
		}
		t.codes[code]++
		return
	}
	t.methods[methodNumber(m.Method)]++
}

// add adds what another worker counted.
func (t *tally) add(o *tally) {
	for i, n := range o.methods {
		t.methods[i] += n
	}
	for code, n := range o.codes {
		t.codes[code] += n
	}
	t.absurd += o.absurd
}
