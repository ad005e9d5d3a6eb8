package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// Server is a running engine: a child process and the supervisor that restarts
// it. Its methods may be called from any goroutine.
type Server struct {
	cfg     Config
	library string
	addr    addresses
	creds   credentials
	lock    *os.File
	log     *slog.Logger

	// accessAt is the state of Config.AccessFile that the child knows; the
	// supervisor's.
	accessAt stamp

	restarts atomic.Uint64
	ready    atomic.Bool
	pid      atomic.Int64
	pause    pause

	stopOnce sync.Once
	stopping context.Context    // ends when Stop is called
	stop     context.CancelFunc // ends stopping
	forced   context.Context    // ends when Stop's own context ended first
	force    context.CancelFunc // ends forced
	done     chan struct{}      // closed when the child is gone for good
	err      error              // of the shutdown; read after done
}

// Start runs the engine and returns when it answers on both ports. ctx bounds
// the start alone; [Server.Stop] ends the engine.
//
// It fails when another process uses the directory, when the library is missing
// (see [FindLibrary]), when a given port is taken, and when the engine does not
// become ready; the last error carries the engine's own last lines. After that
// Server restarts the engine whenever it ends, for as long as it takes.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	if os.Getenv(childEnv) != "" {
		// Without this a program that forgot would execute itself for ever.
		return nil, errors.New("embedded clickhouse: the program must call embedded.MaybeChild first in main")
	}
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	wanted, err := parseAddresses(cfg.HTTP, cfg.TCP)
	if err != nil {
		return nil, err
	}
	library, err := FindLibrary(cfg.Library)
	if err != nil {
		return nil, err
	}
	if err := cfg.makeDirs(); err != nil {
		return nil, err
	}
	lock, err := lockDir(cfg.Dir, cfg.StopTimeout+5*time.Second)
	if err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, library: library, lock: lock, log: cfg.Logger, done: make(chan struct{})}
	if s.creds, err = loadCredentials(cfg.Dir); err == nil {
		var p *process
		if p, err = s.first(ctx, wanted); err == nil {
			s.stopping, s.stop = context.WithCancel(context.Background())
			s.forced, s.force = context.WithCancel(context.Background())
			go s.supervise(p)
			go spreadParts(s.stopping, cfg.dataDir())
			return s, nil
		}
	}
	_ = lock.Close()
	return nil, err
}

// addressInUse is what the engine says of a port it cannot take.
const addressInUse = "Address already in use"

// first chooses the ports and starts the child. Between choice and use somebody
// else may take a chosen port: then it chooses again.
func (s *Server) first(ctx context.Context, wanted addresses) (*process, error) {
	const attempts = 5
	for n := 1; ; n++ {
		var err error
		if s.addr, err = wanted.choose(); err != nil {
			return nil, err
		}
		p, err := s.launch(ctx)
		if err == nil {
			return p, nil
		}
		free := wanted.http == 0 || wanted.tcp == 0
		if !free || n == attempts || !strings.Contains(err.Error(), addressInUse) {
			return nil, err
		}
	}
}

// launch executes the child and waits until it is ready; a child that does not
// become ready is gone when launch returns.
func (s *Server) launch(ctx context.Context) (*process, error) {
	begin := time.Now()
	s.accessAt = fileStamp(s.cfg.AccessFile)
	if err := writeFiles(s.cfg, s.addr, s.creds); err != nil {
		return nil, err
	}
	p, err := spawn(s.cfg, s.library, s.lock)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, s.cfg.StartTimeout,
		fmt.Errorf("no answer within %s", s.cfg.StartTimeout))
	defer cancel()
	if err := p.waitReady(ctx, s.addr, s.creds); err != nil {
		_ = p.cmd.Process.Kill()
		<-p.exited
		_ = p.live.Close()
		return nil, err
	}
	s.pid.Store(int64(p.cmd.Process.Pid))
	s.pause.change(p.cmd.Process)
	s.ready.Store(true)
	s.log.Info("embedded clickhouse is ready", "http", s.HTTPAddr(), "tcp", s.TCPAddr(),
		"pid", p.cmd.Process.Pid, "took", time.Since(begin).Round(time.Millisecond), "dir", s.cfg.Dir)
	return p, nil
}

// stableAfter is how long a child must live for the next crash to be treated as
// the first one.
const stableAfter = time.Minute

// supervise restarts the child until Stop is called, then ends it. It owns p.
func (s *Server) supervise(p *process) {
	defer close(s.done)
	defer func() { _ = s.lock.Close() }()
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval = 200 * time.Millisecond
	wait.MaxInterval = 30 * time.Second
	since := time.Now()
	look := time.NewTicker(accessEvery)
	defer look.Stop()
	for {
		renew := false
		select {
		case <-s.stopping.Done():
			s.ready.Store(false)
			s.pause.change(nil)
			s.err = p.stop(s.forced, s.cfg.StopTimeout)
			return
		case <-p.exited:
		case <-look.C:
			if !s.accessChanged() {
				continue
			}
			renew = true
			s.log.Info("embedded clickhouse is restarted: its users changed")
			s.ready.Store(false)
			s.pause.change(nil)
			_ = p.stop(s.forced, s.cfg.StopTimeout)
			wait.Reset()
		}
		s.ready.Store(false)
		s.pause.change(nil)
		s.pid.Store(0)
		_ = p.live.Close()
		if time.Since(since) > stableAfter {
			wait.Reset()
		}
		if !renew {
			s.crashed(fmt.Errorf("embedded clickhouse: the engine ended (%s)%s", exitText(p.err), p.lastWords()))
		}
		if p = s.restart(wait); p == nil {
			return // stopped while there was no child
		}
		since = time.Now()
	}
}

// restart tries until a child is ready, or returns nil once Stop was called.
func (s *Server) restart(wait *backoff.ExponentialBackOff) *process {
	for {
		pause := wait.NextBackOff()
		select {
		case <-s.stopping.Done():
			return nil
		case <-time.After(pause):
		}
		s.restarts.Add(1)
		p, err := s.launch(s.stopping)
		if err == nil {
			return p
		}
		if s.stopping.Err() != nil {
			return nil
		}
		s.crashed(err)
	}
}

func (s *Server) crashed(err error) {
	s.log.Error("embedded clickhouse crashed and will be restarted", "error", err)
	if s.cfg.OnCrash != nil {
		s.cfg.OnCrash(err)
	}
}

// Stop shuts the engine down cleanly and returns when the child is gone and the
// directory free. If ctx ends first the child is killed. An error says that the
// end was not clean; the engine is gone all the same, and its data as safe as
// after a crash. Later calls return the same.
func (s *Server) Stop(ctx context.Context) error {
	s.stopOnce.Do(s.stop)
	select {
	case <-s.done:
	case <-ctx.Done():
		s.force()
		<-s.done
	}
	return s.err
}

// Done is closed when the engine is gone for good, which only Stop brings
// about: a crash does not close it.
func (s *Server) Done() <-chan struct{} { return s.done }

// HTTPAddr and TCPAddr return the addresses of the two protocols as host:port.
// They stay the same over restarts.
func (s *Server) HTTPAddr() string { return s.addr.httpAddr() }

// TCPAddr returns the address of the native protocol: see HTTPAddr.
func (s *Server) TCPAddr() string { return s.addr.tcpAddr() }

// Ready says whether the engine is up: false from a crash to the end of the
// restart, and once Stop was called.
func (s *Server) Ready() bool { return s.ready.Load() }

// Restarts counts executions of the child after the first, successful or not.
func (s *Server) Restarts() uint64 { return s.restarts.Load() }

// PID is the child's process id, 0 while there is none.
func (s *Server) PID() int { return int(s.pid.Load()) }

// Library is the path of the library the engine was loaded from.
func (s *Server) Library() string { return s.library }
