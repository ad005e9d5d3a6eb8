//go:build linux

package kill

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/heplake/heplake/bench/truth"
)

// TestTruthThroughKills plays traffic whose truth is known in real time, posting each
// packet until it is answered for, while heplake and its engine are killed or stopped
// and come back. Then every call, registration and sum must be right.
func TestTruthThroughKills(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute")
	}
	few := truth.Config{Calls: 80, Gap: 150 * time.Millisecond, Only: []string{"answered", "failed", "cancelled", "redirected"}}
	most := 6
	if n := kills(t); n > 0 {
		few, most = truth.Config{Calls: 200, Registrations: 40, Gap: 200 * time.Millisecond}, n/2
	}
	playThroughKills(t, few, most)
}

// playThroughKills kills at most so many times.
func playThroughKills(t *testing.T, cfg truth.Config, most int) {
	l := open(t)
	cfg.Seed, cfg.Start = rand.Uint64(), time.Now().Add(time.Second)
	corpus, err := truth.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	p := &player{addr: l.addresses["hep_http"]}
	p.done.Go(func() { p.play(corpus.Packets) })
	r := round{t, l, &line{}, "truth"}
	var said []string
	for !p.over() && len(said) < most {
		time.Sleep(time.Second + rand.N(6*time.Second))
		what := rand.IntN(5)
		said = append(said, []string{"engine", "heplake", "both", "stop", "heplake"}[what])
		switch what {
		case 0:
			r.kill(r.back(), syscall.SIGKILL)
			continue
		case 2:
			r.kill(r.back(), syscall.SIGKILL)
			fallthrough
		case 1, 4:
			r.signal(t, syscall.SIGKILL)
			_ = r.wait(t)
		case 3:
			r.end(t)
		}
		l.start(t)
		p.to(l.addresses["hep_http"])
	}
	p.done.Wait()
	l.settle(t)
	defer func() {
		if t.Failed() {
			t.Logf("seed %d, killed %v", cfg.Seed, said)
		}
	}()
	var differences []string
	for end := time.Now().Add(4 * time.Minute); time.Now().Before(end); time.Sleep(time.Second) {
		if differences = r.differences(corpus); len(differences) == 0 {
			t.Logf("%d calls, %d packets, %v: %s after the end all is right", len(corpus.Calls), len(corpus.Packets), said, time.Since(end.Add(-4*time.Minute)).Round(time.Second))
			return
		}
	}
	t.Errorf("%d differences, of %d calls\n%s", len(differences), len(corpus.Calls), strings.Join(differences[:min(20, len(differences))], "\n"))
}

// differences says what in the tables is not as it was.
func (r round) differences(corpus *truth.Corpus) []string {
	r.Helper()
	url := "http://" + r.addresses["clickhouse_user"] + ":" + r.addresses["clickhouse_password"] + "@" + r.addresses["clickhouse_http"] + "/heplake"
	calls, err := corpus.StoredCalls(r.Context(), url)
	if err != nil {
		r.Fatal(err)
	}
	registrations, err := corpus.StoredRegistrations(r.Context(), url)
	if err != nil {
		r.Fatal(err)
	}
	out := append(corpus.CompareCalls(calls), corpus.CompareRegistrations(registrations)...)
	var want []string
	for _, m := range corpus.Minutes {
		if m.Attempts > 0 {
			want = append(want, fmt.Sprint("calls ", m.Time/1e6, m.Attempts, m.Answered, m.Cancelled, m.Failed, m.Unanswered))
		}
		if m.Registrations > 0 {
			want = append(want, fmt.Sprint("registrations ", m.Time/1e6, m.Registrations, m.RegFailures))
		}
	}
	got := strings.Split(strings.TrimSpace(r.query(r.T, `SELECT arrayStringConcat(['calls', toString(toUnixTimestamp(bucket)), toString(attempts), toString(answered), toString(cancelled), toString(failed), toString(unanswered)], ' ')
FROM kpi_1m FINAL WHERE dim = 'all' AND attempts > 0
UNION ALL SELECT arrayStringConcat(['registrations', toString(toUnixTimestamp(bucket)), toString(attempts), toString(failures)], ' ') FROM registrations_1m FINAL WHERE dim = 'all' AND attempts > 0`)), "\n")
	for _, w := range want {
		if !slices.Contains(got, w) {
			out = append(out, "there is no sum "+w)
		}
	}
	for _, g := range got {
		if !slices.Contains(want, g) {
			out = append(out, "there is a sum "+g)
		}
	}
	return out
}

// player posts packets at their times, each until it was answered for.
type player struct {
	mu    sync.Mutex
	addr  string
	ended bool
	done  sync.WaitGroup
}

func (p *player) to(addr string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.addr = addr
}

func (p *player) over() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ended
}

func (p *player) play(packets []truth.Packet) {
	client := &http.Client{Transport: &http.Transport{}, Timeout: 5 * time.Second}
	defer client.CloseIdleConnections()
	for len(packets) > 0 {
		n := 0
		var body []byte
		for now := time.Now().UnixMicro(); n < len(packets) && packets[n].Arrival <= now; n++ {
			body = append(body, packets[n].Data...)
		}
		if n > 0 && p.post(client, body) == nil {
			packets = packets[n:]
		}
		time.Sleep(20 * time.Millisecond)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
}

func (p *player) post(client *http.Client, body []byte) error {
	p.mu.Lock()
	addr := p.addr
	p.mu.Unlock()
	resp, err := client.Post("http://"+addr+"/", "application/octet-stream", bytes.NewReader(body))
	if err != nil {
		return err
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return errors.New(resp.Status)
	}
	return nil
}
