package api

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/heplake/heplake/query"
)

func TestMessagesRoute(t *testing.T) {
	l := open(t, "kamailio-hep3-udp-sip-failures-a")
	window := "from=2026-11-20T00:00:00Z&to=2026-11-22T00:00:00Z"
	res := decode[query.MessagesResult](t, get(t, l.url, "/api/v1/messages?filter=status+%3D+486&"+window))
	if len(res.Messages) != 4 || res.Next != "" || res.Messages[0].Raw != "" || res.Messages[0].Time.Before(res.Messages[3].Time) {
		t.Errorf("found %+v", res)
	}
	res = decode[query.MessagesResult](t, get(t, l.url, "/api/v1/messages?limit=100&oldest=true&unique=true&raw=true&"+window))
	if len(res.Messages) != 100 || res.Next == "" || !strings.HasPrefix(res.Truncated, "limit: ") || res.Messages[0].Raw == "" {
		t.Errorf("%d messages, next %q, truncated %q", len(res.Messages), res.Next, res.Truncated)
	}
	more := decode[query.MessagesResult](t, get(t, l.url, "/api/v1/messages?oldest=true&unique=true&cursor="+res.Next))
	if len(more.Messages) == 0 || more.Next != "" || more.Messages[0].Time.Before(res.Messages[99].Time) {
		t.Errorf("next page: %d messages, next %q", len(more.Messages), more.Next)
	}
	wantProblem(t, get(t, l.url, "/api/v1/messages?cursor=x"), 400, "request")
	wantProblem(t, get(t, l.url, "/api/v1/messages?filter=outcome+%3D+failed"), 400, "filter")
	// The captures are of the 21st of November, 2026, 03:36 in Berlin.
	for params, want := range map[string]bool{
		"tz=Europe/Berlin&from=2026-11-21&to=2026-11-21+03:00":                                                  false,
		"tz=Europe/Berlin&from=2026-11-21+03:00&to=2026-11-21+04:00":                                            true,
		"tz=-05:00&from=2026-11-20+21:00&to=2026-11-20+22:00":                                                   true,
		"tz=%2B01:00&from=2026-11-21+03:00&to=2026-11-21+04:00":                                                 true,
		"from=2026-11-21+03:00&to=2026-11-21+04:00":                                                             false,
		"tz=Europe/Berlin&from=2026-11-21&to=2026-11-22&filter=" + url.QueryEscape(`time < "2026-11-21 03:00"`): false,
		"tz=Europe/Berlin&from=2026-11-21&to=2026-11-22&filter=" + url.QueryEscape(`time < "2026-11-21 04:00"`): true,
	} {
		if got := decode[query.MessagesResult](t, get(t, l.url, "/api/v1/messages?"+params)); len(got.Messages) > 0 != want {
			t.Errorf("%s: %d messages", params, len(got.Messages))
		}
	}
	wantProblem(t, get(t, l.url, "/api/v1/messages?tz=Mars/Olympus"), 400, "request")
}

// TestLeavingEndsTheQuery: when the client hangs up, ClickHouse stops, too.
func TestLeavingEndsTheQuery(t *testing.T) {
	l := open(t)
	if err := l.db.Exec(t.Context(), "INSERT INTO "+l.name+".sip (time, tenant, method, packed) SELECT now64(6) - 60, 't', 'OPTIONS', repeat(toString(number), 50) FROM numbers(400000)"); err != nil {
		t.Fatal(err)
	}
	var never []string
	for i := range 200 {
		never = append(never, fmt.Sprintf(`raw ~ "(%d.*){9}x%d$"`, i%10, i))
	}
	running := func() (n uint64) {
		t.Helper()
		if err := l.db.QueryRow(t.Context(), "SELECT count() FROM system.processes WHERE query LIKE '%"+l.name+"%sip%match%' AND query NOT LIKE '%system.processes%'").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	wait := func(what string, until func(uint64) bool) {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); !until(running()); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%d queries run: want %s", running(), what)
			}
		}
	}
	for _, path := range []string{"/api/v1/messages", "/api/v1/calls"} {
		ctx, cancel := context.WithCancel(t.Context())
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, l.url+path+"?filter="+url.QueryEscape(strings.Join(never, " or ")), nil)
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			if resp, err := http.DefaultTransport.RoundTrip(req); err == nil {
				_ = resp.Body.Close()
			}
		}()
		wait("one for "+path, func(n uint64) bool { return n > 0 })
		cancel()
		<-done
		wait("none after "+path, func(n uint64) bool { return n == 0 })
	}
}
