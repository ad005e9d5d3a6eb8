package assemble_test

import (
	"context"
	"testing"
	"time"

	"github.com/heplake/heplake/internal/assemble"
	"github.com/heplake/heplake/internal/laketest"
)

// TestMessagesWithoutDigests: a process that was killed stored messages whose
// digests it still had in memory. The next one makes them.
func TestMessagesWithoutDigests(t *testing.T) {
	l := laketest.Open(t, "kamailio-hep3-udp-sip-failures-a")
	work := func(until string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		done := make(chan struct{})
		go func() {
			defer close(done)
			assemble.New(assemble.Config{Conn: l.DB, Database: l.Name, Share: 1}).Run(ctx)
		}()
		for {
			if got := query(t, l, until); len(got) == 1 && got[0] == "1" {
				break
			}
			if ctx.Err() != nil {
				t.Fatalf("%s: not within a minute", until)
			}
			time.Sleep(50 * time.Millisecond)
		}
		cancel()
		<-done
	}
	work("SELECT toString(count() > 0) FROM assembler WHERE done > toDateTime64(0, 6)")
	err := l.DB.Exec(t.Context(), `INSERT INTO sip (time, tenant, own_call_id, correlation_id, method, status, cseq, cseq_method, from_tag, to_tag, own_branch, src_ip, dst_ip)
SELECT (SELECT max(touched) FROM leg_digests) + toIntervalMillisecond(n), 'default', 'killed@a', 'killed@a', m, s, 1, 'INVITE', 'f', t, 'b', toIPv6('10.0.0.1'), toIPv6('10.0.0.2')
FROM values('n UInt32, m String, s UInt16, t String', (0, 'INVITE', 0, ''), (10, '', 486, 'x'), (20, 'ACK', 0, 'x'))`)
	if err != nil {
		t.Fatal(err)
	}
	// The first one's lease has to run out, or the test would wait for it.
	if err := l.DB.Exec(t.Context(), "INSERT INTO assembler (time, holder, done) SELECT now64(6), '', max(done) FROM assembler"); err != nil {
		t.Fatal(err)
	}
	work("SELECT toString(count()) FROM calls WHERE has(call_ids, 'killed@a') AND final_status = 486")
}
