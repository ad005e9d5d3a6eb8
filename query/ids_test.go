package query_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/go-faster/city"

	"github.com/heplake/heplake/query"
)

// TestHashesOfIDs checks that this process hashes ids as ClickHouse does.
func TestHashesOfIDs(t *testing.T) {
	l := open(t)
	for _, id := range []string{"a", "x@10.0.0.1", "a-call-id-of-more-than-sixteen-bytes", "ünï", fmt.Sprintf("%0100d", 7)} {
		var want uint64
		if err := l.db.QueryRow(t.Context(), "SELECT cityHash64({id:String})", clickhouse.Named("id", id)).Scan(&want); err != nil {
			t.Fatal(err)
		}
		if got := city.CH64([]byte(id)); got != want {
			t.Errorf("%q: %d, ClickHouse has %d", id, got, want)
		}
	}
}

// TestMessagesThatIDsLack asks for messages of which table ids does not know, the
// newest of which are found all the same, and for one that goes on in an hour
// it does not know of yet.
func TestMessagesThatIDsLack(t *testing.T) {
	l := open(t)
	l.exec(t, `INSERT INTO sip (time, tenant, correlation_id, own_call_id, method, cseq_method, from_user, packed)
		SELECT now64(6) - 1, 't', 'x', 'late', 'OPTIONS', 'OPTIONS', 'a', 'OPTIONS'
		UNION ALL SELECT now64(6) - 2, 't', 'y', 'y', 'OPTIONS', 'OPTIONS', 'a', 'OPTIONS'`)
	l.exec(t, "TRUNCATE TABLE ids")
	for _, id := range []string{"late", "x", "y"} {
		r, err := l.Messages(t.Context(), query.MessagesRequest{Filter: fmt.Sprintf("call_id = %s or correlation_id = %s", id, id)})
		if err != nil || len(r.Messages) != 1 {
			t.Errorf("%s: found %d messages, %v", id, len(r.Messages), err)
		}
		f, err := l.Flow(t.Context(), query.FlowRequest{ID: id})
		if err != nil || len(f.Items) != 1 {
			t.Errorf("%s: no flow, %v", id, err)
		}
		c, err := l.Calls(t.Context(), query.CallsRequest{Filter: fmt.Sprintf("call_id = %s or correlation_id = %s", id, id)})
		if err != nil || len(c.Calls) != 1 {
			t.Errorf("%s: found %d calls, %v", id, len(c.Calls), err)
		}
	}
	l.exec(t, "INSERT INTO ids (id, tenant, hour, call_id, correlation_id) SELECT cityHash64('y'), 't', toStartOfHour(now() - 3600, 'UTC'), '', ''")
	if f, err := l.Flow(t.Context(), query.FlowRequest{ID: "y"}); time.Now().Minute() < 9 && (err != nil || len(f.Items) != 1) {
		t.Errorf("no flow of what goes on in this hour: %v", err)
	}
}
