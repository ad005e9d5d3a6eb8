package sip

import (
	"strings"
	"testing"
)

// headerNames are the headers that the scanner reads, as the RFCs spell them.
var headerNames = map[string]headerID{
	"Authorization": hAuthorization, "Proxy-Authorization": hAuthorization, "Call-ID": hCallID, "Contact": hContact,
	"Content-Encoding": hContentEncoding, "Content-Length": hContentLength, "Content-Type": hContentType, "CSeq": hCSeq,
	"Diversion": hDiversion, "Event": hEvent, "Expires": hExpires, "From": hFrom, "History-Info": hHistoryInfo,
	"Max-Forwards": hMaxForwards, "P-Asserted-Identity": hPAI, "P-Charging-Vector": hPCV, "P-Preferred-Identity": hPPI,
	"Reason": hReason, "Refer-To": hReferTo, "Replaces": hReplaces, "Remote-Party-ID": hRPID, "X-RTP-Stat": hRTPStat,
	"P-RTP-Stat": hRTPStat, "Server": hServer, "Session-ID": hSessionID, "To": hTo, "User-Agent": hUserAgent, "Via": hVia,
	"c": hContentType, "e": hContentEncoding, "f": hFrom, "i": hCallID, "l": hContentLength, "m": hContact, "o": hEvent,
	"r": hReferTo, "t": hTo, "v": hVia,
}

// TestHeaderNames recognises each header in any case, with and without white
// space before the colon, and none that differs from it in one letter.
func TestHeaderNames(t *testing.T) {
	seen := make(map[headerID]bool)
	for name, want := range headerNames {
		seen[want] = true
		for _, spelling := range []string{name, strings.ToLower(name), strings.ToUpper(name)} {
			for _, line := range []string{spelling + ": value of the header\n", spelling + ":\n", spelling + " \t: x\n"} {
				id, got, _, _, st := nextHeader([]byte(line), 0)
				if id != want || string(got) != spelling || st != headerRead {
					t.Errorf("%q is header %d, want %d", line, id, want)
				}
			}
			for i := range spelling {
				other := spelling[:i] + "!" + spelling[i+1:]
				if id, _, _, _, _ := nextHeader([]byte(other+": value of the header\n"), 0); id != hOther {
					t.Errorf("%q is header %d", other, id)
				}
			}
		}
	}
	if len(seen) != int(hVia) {
		t.Errorf("%d of %d headers are tested", len(seen), hVia)
	}
	for _, name := range []string{"a", "x", "", "Subject", "X-Unknown", strings.Repeat("x", 30)} {
		if id := headerOf([]byte(name)); id != hOther {
			t.Errorf("%q is header %d", name, id)
		}
	}
}
