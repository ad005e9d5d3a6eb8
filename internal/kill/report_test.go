//go:build linux

package kill

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"
)

// line is what one way of killing came to, over all rounds.
type line struct {
	what                                 string
	kills, sent, missing, excused, twice int
	// oldest is how long before a kill -9 the oldest missing record was sent, allowed
	// how long it may be.
	oldest, allowed time.Duration
}

// report gathers the lines, for the table at the end.
type report struct{ lines []*line }

func (r *report) line(what string) *line {
	for _, l := range r.lines {
		if l.what == what {
			return l
		}
	}
	l := &line{what: what}
	r.lines = append(r.lines, l)
	return l
}

// write prints the table.
func (r *report) write(t *testing.T) {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(w, "\t\tkills\tsent\tstored\tmissing\tof these excused\ttwice\toldest missing\tallowed\t")
	for _, l := range r.lines {
		oldest, allowed := "", ""
		if l.allowed > 0 {
			oldest, allowed = l.oldest.Round(time.Millisecond).String(), l.allowed.Round(time.Millisecond).String()
		}
		_, _ = fmt.Fprintf(w, "\t%s\t%d\t%d\t%d\t%d\t%d\t%d\t%s\t%s\t\n", l.what, l.kills, l.sent, l.sent-l.missing, l.missing, l.excused, l.twice, oldest, allowed)
	}
	if err := w.Flush(); err != nil {
		t.Error(err)
	}
	t.Logf("excused: dropped by the kernel and counted, or sent within batch.age and what the machine took before a kill -9\n%s", b.String())
}

// probe measures all the time what this machine takes to do what the spool
// does for one batch: what a kill may cost beyond batch.age depends on it.
type probe struct {
	mu    sync.Mutex
	looks []look
	stop  chan struct{}
	done  sync.WaitGroup
}

type look struct {
	at   time.Time
	took time.Duration
}

const probePause = 10 * time.Millisecond

func startProbe(t *testing.T, dir string) *probe {
	p := &probe{stop: make(chan struct{})}
	p.done.Go(func() {
		data := make([]byte, 256<<10)
		for {
			began := time.Now()
			select {
			case <-p.stop:
				return
			case <-time.After(probePause):
			}
			if err := writeLikeTheSpool(dir, data); err != nil {
				t.Error(err)
				return
			}
			p.mu.Lock()
			p.looks = append(p.looks, look{time.Now(), time.Since(began) - probePause})
			p.looks = p.looks[max(0, len(p.looks)-1000):]
			p.mu.Unlock()
		}
	})
	return p
}

func (p *probe) end() {
	close(p.stop)
	p.done.Wait()
}

func writeLikeTheSpool(dir string, data []byte) error {
	path := filepath.Join(dir, "probe")
	f, err := os.Create(path + ".tmp")
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	if _, err := f.Write(data); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := os.Rename(path+".tmp", path); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	return d.Sync()
}

// worst is the longest look of the two seconds before at.
func (p *probe) worst(at time.Time) (worst time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.looks {
		if l.at.After(at.Add(-2*time.Second)) && !l.at.After(at.Add(time.Second)) {
			worst = max(worst, l.took)
		}
	}
	return worst
}
