//go:build linux

package kill

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

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

// worst is the longest look of those that were under way between from and to, or
// in the batch.age before. One that is not over is waited for.
func (p *probe) worst(from, to time.Time) (worst time.Duration) {
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(probePause) {
		p.mu.Lock()
		over := len(p.looks) > 0 && p.looks[len(p.looks)-1].at.Add(-p.looks[len(p.looks)-1].took).After(to)
		p.mu.Unlock()
		if over {
			break
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.looks {
		if l.at.After(from.Add(-batchAge)) && l.at.Add(-l.took).Before(to) {
			worst = max(worst, l.took)
		}
	}
	return worst
}
