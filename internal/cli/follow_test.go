package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/heplake/heplake/query"
	"github.com/heplake/heplake/query/ladder/testflow"
)

const followed = "1-16207@127.0.0.1"

// growing answers for a call that goes on: with each question a few more of its
// messages, as if they were of this moment; an answer of 0 messages is a 503.
func growing(t *testing.T, parts ...int) (*Client, *query.Flow) {
	t.Helper()
	whole := testflow.Load(t, "kamailio-hep3-two-legs-topoh-xcid-a", followed, "!!:hmx-B7.IBx6-h7pyhAaIM78*")
	shift := time.Since(whole.Items[len(whole.Items)-1].Time)
	for i := range whole.Items {
		whole.Items[i].Time = whole.Items[i].Time.Add(shift)
	}
	whole.Call.Start = whole.Items[0].Time
	var asked atomic.Int64
	_, c := serve(t, map[string]http.HandlerFunc{"/api/v1/flow/" + url.PathEscape(followed): func(w http.ResponseWriter, r *http.Request) {
		at := int(asked.Add(1)) - 1
		if at > 0 && r.URL.Query().Get("from") == "" {
			t.Error("a later question does not say when the call began")
		}
		n := parts[min(at, len(parts)-1)]
		if n == 0 {
			reject(http.StatusServiceUnavailable, `{"title":"Database not available","status":503}`)(w, r)
			return
		}
		part := *whole
		part.Items = whole.Items[:n]
		if n < len(whole.Items) {
			part.Call.Outcome, part.Call.End = query.InProgress, nil
		}
		reply(&part)(w, r)
	}})
	return c, whole
}

func followOptions(c *Client) FlowOptions {
	return FlowOptions{Client: c, CallID: followed, Follow: true, Interval: time.Millisecond, Settle: 20 * time.Millisecond}
}

// Each message is written once, in order, however the flow grows; the header
// again when somebody new takes part; the end of the call ends the command.
func TestFollow(t *testing.T) {
	c, whole := growing(t, 2, 2, 6, 0, 0, 20, 28)
	var out, remarks bytes.Buffer
	if err := Flow(context.Background(), Display{Out: &out, Err: &remarks, Width: 120}, followOptions(c)); err != nil {
		t.Fatal(err)
	}
	rows := 0
	for _, l := range strings.Split(out.String(), "\n") {
		if strings.ContainsAny(l, "▶◀") {
			rows++
		}
	}
	if rows != len(whole.Items) {
		t.Errorf("%d rows, the call has %d messages\n%s", rows, len(whole.Items), out.String())
	}
	if n := strings.Count(out.String(), "┬"); n < 2+4 {
		t.Errorf("the header is not drawn anew for new participants:\n%s", out.String())
	}
	first, last := strings.Index(out.String(), "● IN PROGRESS"), strings.LastIndex(out.String(), "✓ ANSWERED")
	if first != 0 || last < strings.LastIndex(out.String(), "┴") {
		t.Errorf("it does not begin in progress and end answered:\n%s", out.String())
	}
	if got := remarks.String(); strings.Count(got, "still trying") != 1 || !strings.Contains(got, "the API answers again") {
		t.Errorf("remarks: %q", got)
	}
}

// A call that is over is written as without --follow, at once.
func TestFollowOfWhatIsOver(t *testing.T) {
	f := testflow.Load(t, "kamailio-hep3-two-legs-topoh-xcid-a", followed, "!!:hmx-B7.IBx6-h7pyhAaIM78*")
	_, c := serve(t, map[string]http.HandlerFunc{"/api/v1/flow/" + url.PathEscape(followed): reply(f)})
	var with, without bytes.Buffer
	o := followOptions(c)
	if err := Flow(context.Background(), Display{Out: &with, Width: 120}, o); err != nil {
		t.Fatal(err)
	}
	o.Follow = false
	if err := Flow(context.Background(), Display{Out: &without, Width: 120}, o); err != nil {
		t.Fatal(err)
	}
	if with.String() != without.String() {
		t.Errorf("with --follow\n%s\nwithout\n%s", with.String(), without.String())
	}
}

// A call that is not there yet is waited for, and it is said so, once.
func TestFollowAwaits(t *testing.T) {
	_, whole := growing(t, 28)
	var asked atomic.Int64
	_, c := serve(t, map[string]http.HandlerFunc{"/api/v1/flow/" + url.PathEscape(followed): func(w http.ResponseWriter, r *http.Request) {
		n := asked.Add(1)
		if anywhere := n == 1 || n == 1+followAnywhere; anywhere == r.URL.Query().Has("from") {
			t.Errorf("question %d: from=%s", n, r.URL.Query().Get("from"))
		}
		switch {
		case n == 3:
			reject(http.StatusServiceUnavailable, `{"title":"Database not available","status":503}`)(w, r)
		case n < 2+followAnywhere:
			reject(http.StatusNotFound, `{"title":"Not found","status":404}`)(w, r)
		default:
			reply(whole)(w, r)
		}
	}})
	var out, remarks bytes.Buffer
	if err := Flow(context.Background(), Display{Out: &out, Err: &remarks, Width: 120}, followOptions(c)); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "✓ ANSWERED") {
		t.Errorf("the call is not shown:\n%s", out.String())
	}
	for _, want := range []string{`no call with Call-ID "1-16207@127.0.0.1" yet; waiting for it`, "still trying", "the API answers again"} {
		if strings.Count(remarks.String(), want) != 1 {
			t.Errorf("%s is not said once:\n%s", want, remarks.String())
		}
	}
	// Interrupted before it came: nothing was found.
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	o := followOptions(c)
	o.CallID = "nobody"
	if err := Flow(ctx, Display{Out: &out}, o); ExitCode(err) != 3 {
		t.Errorf("a call that never came: %v, exit code %d", err, ExitCode(err))
	}
}

// An interruption closes the ladder and is no error.
func TestFollowInterrupted(t *testing.T) {
	c, _ := growing(t, 12)
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	var out bytes.Buffer
	if err := Flow(ctx, Display{Out: &out, Width: 120}, followOptions(c)); err != nil {
		t.Fatal(err)
	}
	if s := out.String(); strings.Count(s, "┴") == 0 || strings.Count(s, "● IN PROGRESS") != 2 {
		t.Errorf("not closed:\n%s", s)
	}
}

func TestFollowJSON(t *testing.T) {
	c, whole := growing(t, 5, 28)
	o := followOptions(c)
	o.Format = "json"
	var out bytes.Buffer
	if err := Flow(context.Background(), Display{Out: &out}, o); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != len(whole.Items)+1 {
		t.Fatalf("%d lines for %d messages", len(lines), len(whole.Items))
	}
	for i, l := range lines {
		var got followLine
		if err := json.Unmarshal([]byte(l), &got); err != nil {
			t.Fatal(err)
		}
		switch {
		case i == len(whole.Items):
			if got.Item != nil || got.Call == nil || got.Call.Outcome != query.Answered {
				t.Errorf("last line: %s", l)
			}
		case got.Item == nil || got.Item.Label != whole.Items[i].Label || got.Src != whole.Participants[whole.Items[i].Src].Address:
			t.Errorf("line %d: %s", i, l)
		}
	}
}

func TestOver(t *testing.T) {
	answer := time.Now()
	for _, c := range []struct {
		call  query.Call
		quiet time.Duration
		over  bool
	}{
		{query.Call{Outcome: query.Answered}, time.Second, false},
		{query.Call{Outcome: query.Answered}, 6 * time.Second, true},
		{query.Call{Outcome: query.Failed}, 6 * time.Second, true},
		{query.Call{Outcome: query.Unanswered}, time.Minute, false},
		{query.Call{Outcome: query.Unanswered}, 4 * time.Minute, true},
		{query.Call{Outcome: query.InProgress}, 4 * time.Minute, true},
		{query.Call{Outcome: query.InProgress, Answer: &answer}, time.Hour, false},
	} {
		if got := over(&query.Flow{Call: c.call}, c.quiet, followSettle); got != c.over {
			t.Errorf("%s after %v: %v", c.call.Outcome, c.quiet, got)
		}
	}
}
