package export

import (
	"encoding/xml"
	"fmt"
	"strings"
	"time"
)

// script is one side's scenario in the making.
type script struct {
	d  *dialogue
	by side
	b  strings.Builder
	// last is the step that was received last; SIPp's [last_…] keywords are its.
	last int
	// learned are the peer's tags that a recv has put into a variable.
	learned map[string]bool
	// target tells that the peer's Contact is in a variable, reliable that the
	// peer's RSeq is.
	target   bool
	reliable map[string]bool // by RSeq
	// challenged tells that SIPp has a challenge to answer.
	challenged bool
	// matched tells that there is a variable which only holds what is around a
	// tag or a Contact; SIPp wants to hear that nobody reads it.
	matched bool
}

// scenario is the XML of one side.
func (d *dialogue) scenario(by side) string {
	s := &script{d: d, by: by, last: -1, learned: map[string]bool{}, reliable: map[string]bool{}}
	flag, remark := d.transportFlag()
	name, run := "uac", "sipp -sf uac.xml -m 1 -t "+flag+" -au "+shellWord(d.authUser())+" -ap PASSWORD HOST:PORT"
	if by == callee {
		name, run = "uas", "sipp -sf uas.xml -m 1 -t "+flag+" -p 5060"
	}
	first := d.steps[0].item
	fmt.Fprintf(&s.b, "<?xml version=\"1.0\" encoding=\"UTF-8\" ?>\n<!-- %s of the call with Call-ID %s, captured %s.\n     Run it: %s%s -->\n<scenario name=\"%s\">\n",
		name, xmlComment(oneLine(first.CallID)), first.Time.UTC().Format("2006-01-02 15:04:05 MST"), xmlComment(run), xmlComment(remarkLine(remark)), name)
	for i := range d.steps {
		if d.steps[i].by == by {
			s.send(i)
		} else {
			s.recv(i)
			s.last = i
		}
	}
	if s.matched {
		s.b.WriteString("  <Reference variables=\"match\"/>\n")
	}
	s.b.WriteString("</scenario>\n")
	return s.b.String()
}

func remarkLine(remark string) string {
	if remark == "" {
		return ""
	}
	return "\n     Note: " + remark + "."
}

// xmlComment makes a text safe inside a comment, which must not hold two dashes.
func xmlComment(s string) string {
	for strings.Contains(s, "--") {
		s = strings.ReplaceAll(s, "--", "- -")
	}
	return s
}

func xmlAttr(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a Builder does not fail
	return b.String()
}

// sendsNext reports whether this side's next command is to send, or the end.
func (s *script) sendsNext(i int) bool {
	return i+1 >= len(s.d.steps) || s.d.steps[i+1].by == s.by
}

// send writes a message that this side sends, after the pause that it made.
func (s *script) send(i int) {
	step := &s.d.steps[i]
	if step.pause > 0 {
		fmt.Fprintf(&s.b, "  <pause milliseconds=\"%d\"/>\n", step.pause/time.Millisecond)
	}
	retrans := ""
	if !s.sendsNext(i) && (step.isRequest() && step.method != "ACK" || step.method == "INVITE" && step.status >= 200) {
		retrans = ` retrans="500"` // T1 of RFC 3261; SIPp does it over UDP alone
	}
	fmt.Fprintf(&s.b, "  <send%s>\n    <![CDATA[\n\n%s\n    ]]>\n  </send>\n", retrans, s.message(i))
}

// recv writes a message that this side waits for, and takes out of it what later
// messages need.
func (s *script) recv(i int) {
	step := &s.d.steps[i]
	attrs := fmt.Sprintf(`response="%d"`, step.status)
	if step.isRequest() {
		attrs = fmt.Sprintf(`request="%s"`, xmlAttr(step.method))
	}
	// An optional message may only be followed by one that is waited for.
	if !step.isRequest() && step.status < 200 && !s.sendsNext(i) {
		attrs += ` optional="true"`
	}
	if (step.status == 401 || step.status == 407) && s.answersChallenge(i) {
		attrs += ` auth="true"`
		s.challenged = true
	}
	actions := s.actions(i)
	if s.setsRoute(step) {
		attrs += ` rrs="true"`
	}
	if actions == "" {
		fmt.Fprintf(&s.b, "  <recv %s/>\n", attrs)
		return
	}
	fmt.Fprintf(&s.b, "  <recv %s>\n    <action>\n%s    </action>\n  </recv>\n", attrs, actions)
}

// setsRoute reports whether a message opens a dialog (RFC 3261 section 12.1) and
// so decides on the route of later requests.
func (s *script) setsRoute(step *step) bool {
	if step.method != "INVITE" && step.method != "SUBSCRIBE" && step.method != "REFER" || step.msg.get("contact") == "" {
		return false
	}
	if step.isRequest() {
		return step.toTag == ""
	}
	return step.status > 100 && step.status < 300 && s.d.steps[step.request].toTag == ""
}

// answersChallenge reports whether this side answers the challenge in a way that
// SIPp can compute.
func (s *script) answersChallenge(i int) bool {
	challenge := s.d.steps[i].msg.get(challengeHeader(s.d.steps[i].status))
	algorithm := authParam(challenge, "algorithm")
	if !strings.HasPrefix(strings.ToLower(challenge), "digest ") || algorithm != "" && !strings.EqualFold(algorithm, "MD5") {
		return false
	}
	for j := i + 1; j < len(s.d.steps); j++ {
		if m := s.d.steps[j].msg; s.d.steps[j].by == s.by && m.get("authorization")+m.get("proxy-authorization") != "" {
			return true
		}
	}
	return false
}

func challengeHeader(status int) string {
	if status == 407 {
		return "proxy-authenticate"
	}
	return "www-authenticate"
}

// Patterns of what is taken out of messages. Values of headers come with the
// blank before them.
const (
	tagPattern     = `;[[:blank:]]*tag=([^;>[:space:]]*)`
	viaPattern     = `Via:[^[:cntrl:]]*([[:cntrl:]]+Via:[^[:cntrl:]]*)*`
	contactPattern = `<([^>]*)>`
	wholePattern   = `.*`
	numberPattern  = `[0-9]+`
)

// actions are the variables that a received message fills.
func (s *script) actions(i int) string {
	step := &s.d.steps[i]
	var b strings.Builder
	ereg := func(pattern, header, to string) {
		where := `search_in="hdr" header="` + header + `:"`
		if header == "" {
			where = `search_in="msg"`
		}
		fmt.Fprintf(&b, "      <ereg regexp=\"%s\" %s assign_to=\"%s\"/>\n", xmlAttr(pattern), where, to)
	}
	// The peer's tag, where a later message of this side needs it.
	header, captured := "From", step.fromTag
	if !step.isRequest() {
		header, captured = "To", step.toTag
	}
	if t, ok := s.d.tags[captured]; ok && t.by != s.by && s.needsTag(i, captured) {
		ereg(tagPattern, header, fmt.Sprintf("match,tag_%d", t.n))
		s.matched = true
		s.learned[captured] = true
	}
	if step.isRequest() && s.answeredLate(i) {
		ereg(viaPattern, "", fmt.Sprintf("via_%d", i))
		for _, h := range []string{"From", "To", "CSeq"} {
			ereg(wholePattern, h, fmt.Sprintf("%s_%d", strings.ToLower(h), i))
		}
	}
	if s.movesTarget(step) && s.needsTarget(i) {
		ereg(contactPattern, "Contact", "match,target")
		s.matched = true
		s.target = true
	}
	if rseq := step.msg.get("rseq"); rseq != "" && s.needsRSeq(i, rseq) {
		ereg(numberPattern, "RSeq", "rseq_"+shellWord(rseq))
		s.reliable[rseq] = true
	}
	return b.String()
}
