package sip

// ISUP message types that carry or may carry cause indicators (ITU-T Q.763
// table 4).
const (
	isupACM = 0x06 // address complete
	isupCON = 0x07 // connect
	isupREL = 0x0c // release
	isupRLC = 0x10 // release complete
	isupCPG = 0x2c // call progress
	isupCFN = 0x2f // confusion
)

// causeIndicators is the parameter name of cause indicators (Q.763 section 3.12).
const causeIndicators = 0x12

// ISUP sums up the ISUP message that SIP-I and SIP-T carry in a body of type
// application/isup (RFC 3204, ITU-T Q.1912.5).
type ISUP struct {
	// Has tells a message with an ISUP body from one without.
	Has bool
	// MessageType is the message type code (ITU-T Q.763 table 4).
	MessageType uint8
	// Cause is the cause value (Q.850) of REL, RLC, ACM, CON, CPG or CFN; 0 when
	// there are no cause indicators.
	Cause uint8
	// Location is where the cause arose (Q.850 section 2.2.3): 0 user, 1 private
	// local, 2 public local, 3 transit, 4 public remote, 5 private remote, 7
	// international, 10 beyond an interworking point.
	Location uint8
}

// Name is the message's acronym in ITU-T Q.763 ("IAM", "REL"), "" when it is
// none that belongs to a call.
func (i ISUP) Name() string {
	switch i.MessageType {
	case 0x01:
		return "IAM"
	case 0x02:
		return "SAM"
	case 0x03:
		return "INR"
	case 0x04:
		return "INF"
	case 0x05:
		return "COT"
	case isupACM:
		return "ACM"
	case isupCON:
		return "CON"
	case 0x08:
		return "FOT"
	case 0x09:
		return "ANM"
	case isupREL:
		return "REL"
	case 0x0d:
		return "SUS"
	case 0x0e:
		return "RES"
	case isupRLC:
		return "RLC"
	case 0x1f:
		return "FAR"
	case 0x20:
		return "FAA"
	case 0x21:
		return "FRJ"
	case isupCPG:
		return "CPG"
	case 0x2d:
		return "USR"
	case isupCFN:
		return "CFN"
	case 0x32:
		return "NRM"
	case 0x33:
		return "FAC"
	}
	return ""
}

// parse reads a message that begins with its type code, as RFC 3204 section 2
// has it: no routing label and no circuit code. It reports false when the
// message ends where its pointers say that there is more.
func (i *ISUP) parse(b []byte) bool {
	if len(b) == 0 {
		return false
	}
	i.Has = true
	i.MessageType = b[0]
	switch i.MessageType {
	case isupREL, isupCFN: // mandatory variable: cause; then the optional part
		return i.mandatory(b, 1)
	case isupRLC: // optional part only
		return i.optional(b, 1)
	case isupCPG: // event information
		return i.optional(b, 2)
	case isupACM, isupCON: // backward call indicators
		return i.optional(b, 3)
	}
	return true
}

// mandatory follows the pointer at b[at] to cause indicators. Pointers count
// from themselves (Q.763 section 1.4).
func (i *ISUP) mandatory(b []byte, at int) bool {
	if at >= len(b) || b[at] == 0 {
		return false
	}
	at += int(b[at])
	if at >= len(b) || at+1+int(b[at]) > len(b) {
		return false
	}
	return i.cause(b[at+1 : at+1+int(b[at])])
}

// optional walks the optional part that the pointer at b[at] leads to: name,
// length, content, until a name of 0.
func (i *ISUP) optional(b []byte, at int) bool {
	if at >= len(b) {
		return false
	}
	if b[at] == 0 { // no optional part
		return true
	}
	at += int(b[at])
	for at < len(b) && b[at] != 0 {
		if at+1 >= len(b) || at+2+int(b[at+1]) > len(b) {
			return false
		}
		content := b[at+2 : at+2+int(b[at+1])]
		if b[at] == causeIndicators {
			return i.cause(content)
		}
		at += 2 + len(content)
	}
	return at < len(b)
}

// cause reads cause indicators (Q.850 section 2): extension bit, coding
// standard and location; a recommendation octet when the extension bit is 0;
// then the cause value.
func (i *ISUP) cause(b []byte) bool {
	at := 1
	if len(b) > 0 && b[0]&0x80 == 0 {
		at = 2
	}
	if len(b) <= at {
		return false
	}
	i.Location = b[0] & 0x0f
	i.Cause = b[at] & 0x7f
	return true
}
