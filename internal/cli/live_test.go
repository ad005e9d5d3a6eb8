package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/heplake/heplake/query"
)

// watch watches an API whose answer to the n-th question is what answers[n]
// holds, and to later ones the last; the watch ends after the last.
func watch(t *testing.T, d Display, o SearchOptions, answers ...any) (requests []string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	n := 0
	a, c := serve(t, map[string]http.HandlerFunc{"/api/v1/calls": func(w http.ResponseWriter, r *http.Request) {
		answer := answers[min(n, len(answers)-1)]
		if n++; n > len(answers) {
			cancel()
		}
		if h, ok := answer.(http.HandlerFunc); ok {
			h(w, r)
			return
		}
		reply(map[string]any{"calls": answer})(w, r)
	}})
	o.Client, o.Live, o.Interval = c, true, time.Millisecond
	err = Search(ctx, d, o)
	for _, u := range a.requests {
		requests = append(requests, u.Query().Get("filter"))
	}
	return requests, err
}

// A call is written when it appears and when its state changes, and not in
// between; the newest is at the bottom.
func TestLive(t *testing.T) {
	calls := realCalls(t)[:3]
	ringing := calls[0]
	ringing.Outcome, ringing.FinalStatus, ringing.FinalReason, ringing.End = query.InProgress, 0, "", nil
	var out, remarks bytes.Buffer
	down := reject(http.StatusServiceUnavailable, `{"title":"Database not available","status":503}`)
	requests, err := watch(t, Display{Out: &out, Err: &remarks}, SearchOptions{Filter: "method = INVITE", Since: "1m"},
		[]query.Call{ringing}, []query.Call{ringing}, down, []query.Call{ringing}, calls, calls)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 1+4 {
		t.Fatalf("%d lines, want a title, one call twice and two once:\n%s", len(lines), out.String())
	}
	for i, want := range []string{"CALL-ID", "● in progress", "486 Busy Here"} {
		if !strings.Contains(lines[i], want) {
			t.Errorf("line %d: no %q in %s", i, want, lines[i])
		}
	}
	if strings.Count(remarks.String(), "still trying") != 1 || !strings.Contains(remarks.String(), "answers again") {
		t.Errorf("remarks: %q", remarks.String())
	}
	for _, f := range requests {
		if f != "method = INVITE" {
			t.Errorf("asked for %q while the search told of every call", f)
		}
	}
}

// A call that the search does not tell of any more is asked for by its id, to
// see how it ends.
func TestLiveRevisits(t *testing.T) {
	call := realCalls(t)[0]
	call.CorrelationID = `a"b\`
	ringing := call
	ringing.Outcome, ringing.FinalStatus, ringing.FinalReason, ringing.End = query.InProgress, 0, "", nil
	var out bytes.Buffer
	requests, err := watch(t, Display{Out: &out}, SearchOptions{Filter: "method = INVITE"},
		[]query.Call{ringing}, []query.Call{}, []query.Call{}, []query.Call{call}, []query.Call{}, []query.Call{}, []query.Call{}, []query.Call{})
	if err != nil {
		t.Fatal(err)
	}
	if want := `correlation_id in ("a\"b\\")`; len(requests) < 4 || requests[3] != want {
		t.Fatalf("asked for %q, want %q fourth", requests, want)
	}
	if !strings.Contains(out.String(), "486 Busy Here") {
		t.Errorf("its end is not shown:\n%s", out.String())
	}
	for _, r := range requests[4:] {
		if strings.HasPrefix(r, "correlation_id") {
			t.Error("a call that is over is still asked for")
		}
	}
}

// More calls than an answer holds are told once.
func TestLiveOverwhelmed(t *testing.T) {
	var remarks bytes.Buffer
	full := func(w http.ResponseWriter, r *http.Request) {
		reply(map[string]any{"calls": []query.Call{}, "truncated": true})(w, r)
	}
	_, _ = watch(t, Display{Out: &bytes.Buffer{}, Err: &remarks}, SearchOptions{}, http.HandlerFunc(full), http.HandlerFunc(full), http.HandlerFunc(full))
	if n := strings.Count(remarks.String(), "a filter helps"); n != 1 {
		t.Errorf("told %d times: %q", n, remarks.String())
	}
}

func TestLiveJSON(t *testing.T) {
	calls := realCalls(t)[:2]
	var out bytes.Buffer
	if _, err := watch(t, Display{Out: &out}, SearchOptions{Format: "json"}, calls); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 2 {
		t.Fatalf("%d lines", len(lines))
	}
	for _, l := range lines {
		var c query.Call
		if err := json.Unmarshal([]byte(l), &c); err != nil || c.CorrelationID == "" {
			t.Errorf("%v: %s", err, l)
		}
	}
}

func TestLiveEnds(t *testing.T) {
	if _, err := watch(t, Display{Out: &bytes.Buffer{}}, SearchOptions{}, []query.Call{}); ExitCode(err) != 3 {
		t.Errorf("no call: %v, exit code %d", err, ExitCode(err))
	}
	bad := reject(http.StatusBadRequest, `{"title":"Bad filter","status":400,"detail":"filter, column 3: got x","column":3}`)
	_, err := watch(t, Display{Out: &bytes.Buffer{}}, SearchOptions{Filter: "a x"}, bad)
	if ExitCode(err) != 1 || FilterColumn(err) != 3 {
		t.Errorf("a bad filter: %v, exit code %d, column %d", err, ExitCode(err), FilterColumn(err))
	}
	// What is wrong with the question does not pass, also later.
	if _, err := watch(t, Display{Out: &bytes.Buffer{}}, SearchOptions{}, []query.Call{}, bad); ExitCode(err) != 1 {
		t.Errorf("a bad answer later: %v", err)
	}
	for _, o := range []SearchOptions{{Format: "csv"}, {Until: "now"}} {
		if requests, err := watch(t, Display{Out: &bytes.Buffer{}}, o, []query.Call{}); ExitCode(err) != 1 || len(requests) > 0 {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

// However narrow the terminal, a row of the live search keeps to it and its
// Call-ID is whole.
func TestLiveFits(t *testing.T) {
	calls := realCalls(t)
	for _, width := range []int{60, 80, 120, 200} {
		var out bytes.Buffer
		if _, err := watch(t, Display{Out: &out, Width: width}, SearchOptions{}, calls); err != nil {
			t.Fatal(err)
		}
		for _, l := range strings.Split(out.String(), "\n") {
			if n := len([]rune(l)); n > width {
				t.Errorf("at %d: %d cells: %q", width, n, l)
			}
		}
		for i := range calls {
			if !strings.Contains(out.String(), callID(&calls[i])) {
				t.Errorf("at %d: %s is not whole", width, callID(&calls[i]))
			}
		}
	}
}
