package embedded

import (
	"os"
	"sync"
	"syscall"
)

// pause holds the child up for moments. The zero value has no child.
type pause struct {
	mu     sync.Mutex
	child  *os.Process
	paused bool
}

// change says which child is to be paused from now on, nil for none. The one before
// goes on.
func (p *pause) change(child *os.Process) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.resume()
	p.child = child
}

// resume has the child go on.
func (p *pause) resume() {
	if p.paused {
		_ = p.child.Signal(syscall.SIGCONT)
		p.paused = false
	}
}

// Pause stops the engine where it is, to give its processors to others, and says
// whether it did: an engine that is starting or stopping is left alone, and there is
// no pausing but on Linux. Whoever talks to it waits. [Server.Resume] has it go on; so
// do its end and the end of this process, however that comes.
func (s *Server) Pause() bool {
	s.pause.mu.Lock()
	defer s.pause.mu.Unlock()
	if s.pause.child == nil {
		return false
	}
	if !s.pause.paused {
		s.pause.paused = halt(s.pause.child) == nil
	}
	return s.pause.paused
}

// Resume has a paused engine go on.
func (s *Server) Resume() {
	s.pause.mu.Lock()
	defer s.pause.mu.Unlock()
	s.pause.resume()
}
