// Package standback has the embedded engine stand back while datagrams are about to
// be lost. What ClickHouse takes a moment later waits in the spool; what a full
// receive buffer does not take the kernel drops, for good. Where all processors are
// busy, and the buffers fill, the engine is paused for moments, so that those who
// receive have them.
package standback

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Engine is who stands back.
type Engine interface {
	// Pause stops it where it is and says whether it did.
	Pause() bool
	// Resume has it go on.
	Resume()
}

const (
	// From calm on, the share of a receive buffer that is in use, there is nothing to
	// look at; from danger on the engine stands back, until it is calm again.
	calm, danger = 1. / 16, 1. / 4
	// mostPause bounds a pause, leastRun is how long the engine runs between two: what
	// comes faster than it can be received for long would otherwise keep it from its
	// work altogether.
	mostPause, leastRun = 300 * time.Millisecond, 100 * time.Millisecond
	// idle is how many processors may be idle, on average, while the engine is in
	// anybody's way.
	idle = 0.25
	// How often to look, when it is calm and when not.
	seldom, often = 100 * time.Millisecond, 5 * time.Millisecond
)

// Guard looks after receive buffers and has the engine stand back.
type Guard struct {
	fill   func() float64
	engine Engine
	// idle is the time that this machine's processors have been idle, in all; false
	// where that is not known.
	idle   func() (time.Duration, bool)
	paused atomic.Int64 // in all, ns
}

// New returns a guard of buffers, of which fill says how full the fullest is, from 0 to 1.
func New(fill func() float64, engine Engine) *Guard {
	return &Guard{fill: fill, engine: engine, idle: idleTime}
}

// Metric counts for how long the engine was paused.
func (g *Guard) Metric() prometheus.Collector {
	return prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "heplake_clickhouse_paused_seconds_total",
		Help: "How long the embedded ClickHouse was paused so that no datagram is lost.",
	}, func() float64 { return time.Duration(g.paused.Load()).Seconds() })
}

// Run looks until ctx ends, and leaves the engine running.
func (g *Guard) Run(ctx context.Context) {
	var w watch
	timer := time.NewTimer(seldom)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			g.step(&w, time.Now(), 0)
			return
		case <-timer.C:
			timer.Reset(g.step(&w, time.Now(), g.fill()))
		}
	}
}

// watch is what a guard has seen. The zero value has seen that all is calm.
type watch struct {
	// since is when the engine was last paused or left to run; zero when all is calm.
	since  time.Time
	paused bool
	// idle is the processors' idle time at since.
	idle time.Duration
}

// step acts on how full the buffers are now, and says when to look again.
func (g *Guard) step(w *watch, now time.Time, fill float64) time.Duration {
	switch took := now.Sub(w.since); {
	case w.paused:
		if fill >= calm && took < mostPause {
			break
		}
		g.engine.Resume()
		g.paused.Add(int64(took))
		g.look(w, now)
	case fill < calm:
		*w = watch{}
		return seldom
	case w.since.IsZero():
		g.look(w, now)
	case took >= leastRun && fill >= danger:
		before := w.idle
		if !g.look(w, now) || float64(w.idle-before) > idle*float64(took) {
			break // the engine is not what keeps those who receive from doing so
		}
		w.paused = g.engine.Pause()
	}
	return often
}

// look begins to count anew, and says whether the idle time is known.
func (g *Guard) look(w *watch, now time.Time) (known bool) {
	*w = watch{since: now}
	w.idle, known = g.idle()
	return known
}
