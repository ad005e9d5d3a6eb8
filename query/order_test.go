package query

import (
	"net/netip"
	"testing"
	"time"
)

// TestAckOfASuccessComesBehindIt: agents with several processes stamp what they
// relay and what they receive apart, so the ACK may bear the earlier time.
func TestAckOfASuccessComesBehindIt(t *testing.T) {
	caller := address{netip.MustParseAddr("10.0.0.1"), 5060}
	proxy := address{netip.MustParseAddr("10.0.0.2"), 5060}
	called := address{netip.MustParseAddr("10.0.0.3"), 5060}
	at := func(us int, method string, status uint16, cseqMethod, branch string, src, dst address) message {
		m := message{src: src, dst: dst, branch: branch}
		m.Kind, m.CallID, m.Time = KindSIP, "a", time.UnixMicro(int64(us))
		m.Method, m.Status, m.CSeq, m.CSeqMethod = method, status, 1, cseqMethod
		return m
	}
	for name, server := range map[string]address{"by way of the proxy": proxy, "straight to the called": called} {
		t.Run(name, func(t *testing.T) {
			got := inOrder([]message{
				at(0, "INVITE", 0, "INVITE", "b1", caller, proxy),
				at(90, "ACK", 0, "ACK", "b2", caller, server),
				at(100, "", 200, "INVITE", "b1", proxy, caller),
				at(200, "BYE", 0, "BYE", "b3", caller, server),
			})
			if got[1].Status != 200 || got[2].Method != "ACK" || got[3].Method != "BYE" {
				t.Errorf("order is %s%d, %s%d, %s%d", got[1].Method, got[1].Status, got[2].Method, got[2].Status, got[3].Method, got[3].Status)
			}
		})
	}
}
