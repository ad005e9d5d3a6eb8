package standback

import (
	"context"
	"testing"
	"time"
)

// engine notes what was asked of it.
type engine struct {
	refuses bool
	paused  bool
	pauses  int
}

func (e *engine) Pause() bool {
	if e.refuses {
		return false
	}
	if !e.paused {
		e.pauses++
	}
	e.paused = true
	return true
}

func (e *engine) Resume() { e.paused = false }

// play looks every 5 ms for so long at buffers that are so full, on processors of
// which so many are idle.
type player struct {
	g     *Guard
	w     watch
	now   time.Time
	idled time.Duration
	free  float64
}

func newPlayer(e *engine) *player {
	p := &player{now: time.Unix(1_800_000_000, 0)}
	p.g = New(nil, e)
	p.g.idle = func() (time.Duration, bool) { return p.idled, true }
	return p
}

// play returns for how long of that time the engine was paused.
func (p *player) play(d time.Duration, fill float64) (paused time.Duration) {
	const step = 5 * time.Millisecond
	e := p.g.engine.(*engine)
	for ; d > 0; d -= step {
		p.g.step(&p.w, p.now, fill)
		p.now = p.now.Add(step)
		p.idled += time.Duration(p.free * float64(step))
		if e.paused {
			paused += step
		}
	}
	return paused
}

func TestStandsBackWhileBuffersFill(t *testing.T) {
	var e engine
	p := newPlayer(&e)
	for _, fill := range []float64{0, calm, danger - 0.01} {
		if paused := p.play(time.Second, fill); paused != 0 {
			t.Errorf("paused for %v at %v of the buffer", paused, fill)
		}
	}
	if paused := p.play(100*time.Millisecond, danger); paused == 0 || !e.paused {
		t.Errorf("paused for %v of 100 ms in danger", paused)
	}
	// Less than danger is not calm yet.
	if p.play(100*time.Millisecond, calm); !e.paused {
		t.Error("went on before it was calm")
	}
	if p.play(10*time.Millisecond, calm/2); e.paused || e.pauses != 1 {
		t.Errorf("paused %d times, and still so: %v", e.pauses, e.paused)
	}
	if got := time.Duration(p.g.paused.Load()); got < 100*time.Millisecond || got > 200*time.Millisecond {
		t.Errorf("counted %v", got)
	}
}

func TestEngineIsNotStarved(t *testing.T) {
	var e engine
	p := newPlayer(&e)
	const long = 20 * time.Second
	paused := p.play(long, 1)
	most := float64(mostPause) / float64(mostPause+leastRun)
	if share := float64(paused) / float64(long); share > most || share < most-0.05 {
		t.Errorf("paused for %.2f of the time", share)
	}
}

func TestProcessorsToSpare(t *testing.T) {
	var e engine
	p := newPlayer(&e)
	p.free = 2 * idle
	if paused := p.play(10*time.Second, 1); paused != 0 {
		t.Errorf("paused for %v while processors were idle", paused)
	}
	// They are needed now.
	p.free = idle / 2
	if paused := p.play(time.Second, 1); paused == 0 {
		t.Error("not paused when they were needed")
	}
	p.play(time.Second, 0)
	p.g.idle = func() (time.Duration, bool) { return 0, false }
	if paused := p.play(10*time.Second, 1); paused != 0 {
		t.Errorf("paused for %v without knowing whether processors are idle", paused)
	}
}

func TestRefusal(t *testing.T) {
	e := engine{refuses: true}
	p := newPlayer(&e)
	if paused := p.play(time.Second, 1); paused != 0 || p.g.paused.Load() != 0 {
		t.Errorf("paused for %v, counted %v", paused, p.g.paused.Load())
	}
}

// However it ends, the engine runs afterwards.
func TestRunLeavesTheEngineRunning(t *testing.T) {
	var e engine
	g := New(func() float64 { return 1 }, &e)
	g.idle = func() (time.Duration, bool) { return 0, true }
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		g.Run(ctx)
	}()
	for end := time.Now().Add(10 * time.Second); g.paused.Load() == 0 && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	cancel()
	<-done
	if e.paused || e.pauses == 0 {
		t.Errorf("paused %d times, and still so: %v", e.pauses, e.paused)
	}
}
