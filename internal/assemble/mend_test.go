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

// TestDiedWithDigests: a process that was killed held the digests of seconds. The
// next one makes them again of the messages around its last sign of life.
func TestDiedWithDigests(t *testing.T) {
	l := laketest.Open(t)
	exec := func(sql string) {
		t.Helper()
		if err := l.DB.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	exec("INSERT INTO assembler (time, holder, done) SELECT now64(6) - 40, 'killed', now64(6) - 200")
	exec(`INSERT INTO sip (time, tenant, own_call_id, correlation_id, method, status, cseq, cseq_method, from_user, from_tag, to_tag, own_branch, src_ip, dst_ip)
SELECT now64(6) - toIntervalMillisecond(before + 100 - n), 'default', id, id, m, s, 1, 'INVITE', 'ann', 'f', t, 'b', toIPv6('10.0.0.1'), toIPv6('10.0.0.2')
FROM values('n UInt32, m String, s UInt16, t String', (0, 'INVITE', 0, ''), (10, '', 486, 'x'), (20, 'ACK', 0, 'x')) AS message,
	values('id String, before UInt32', ('before@a', 60000), ('after@a', 25000), ('old@a', 150000)) AS call`)
	a := assemble.New(assemble.Config{Conn: l.DB, Database: l.Name, Share: 1})
	stop := run(t, a)
	for end := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		if query(t, l, "SELECT toString(count()) FROM calls WHERE final_status = 486")[0] == "2" {
			break
		}
		if time.Now().After(end) {
			t.Fatal("not within a minute")
		}
	}
	stop()
	if got := query(t, l, "SELECT arrayStringConcat(arraySort(groupArray(call_ids[1])), ' ') FROM calls"); got[0] != "after@a before@a" {
		t.Errorf("calls %q: what is older the killed process had stored", got[0])
	}
	if got := query(t, l, "SELECT arrayStringConcat(arraySort(groupUniqArray(correlation_id)), ' ') FROM users WHERE user = cityHash64('ann')"); got[0] != "after@a before@a" {
		t.Errorf("ann's messages are in %q", got[0])
	}
	if err := a.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := query(t, l, "SELECT argMax(holder, time) FROM assembler"); got[0] != "" {
		t.Errorf("%q has the work", got[0])
	}
}
