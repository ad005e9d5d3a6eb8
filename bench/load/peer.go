package load

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Peer is another HEP server to measure at the same rates.
type Peer struct {
	// Name is what results call it.
	Name string
	// Command is its command line, run by a shell in a process group of its own.
	Command string
	// Port is the one it takes HEP on, UDP and TCP.
	Port int
	// PIDs are further processes that work for it, its database for instance.
	PIDs []int
	// Count is a shell command that prints how many messages it has stored so far;
	// without one its loss is unknown.
	Count string
	// Settle is how long it has after the last packet to store what it holds.
	Settle time.Duration
}

type peer struct {
	Peer
	cmd    *exec.Cmd
	before uint64
}

func startPeer(ctx context.Context, p Peer) (_ *peer, err error) {
	s := &peer{Peer: p}
	s.cmd = exec.Command("sh", "-c", "exec "+p.Command)
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	s.cmd.Stderr = os.Stderr
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.stop())
		}
	}()
	for began := time.Now(); !bound(p.Port); {
		if time.Since(began) > startTimeout || ctx.Err() != nil {
			return nil, fmt.Errorf("%s does not listen on UDP port %d after %s", p.Name, p.Port, time.Since(began).Round(time.Second))
		}
		time.Sleep(50 * time.Millisecond)
	}
	s.before, err = s.count(ctx)
	return s, err
}

// bound tells whether some socket is bound to the UDP port.
func bound(port int) bool {
	c, err := net.ListenUDP("udp", &net.UDPAddr{Port: port})
	if err == nil {
		_ = c.Close()
		return false
	}
	return errors.Is(err, syscall.EADDRINUSE)
}

func (s *peer) name() string { return s.Name }

func (s *peer) address(string) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.Port)) }

func (s *peer) processes() []namedPID {
	all := []namedPID{{s.Name, s.cmd.Process.Pid}}
	for _, pid := range children(s.cmd.Process.Pid) {
		all = append(all, namedPID{s.Name + "'s child", pid})
	}
	for _, pid := range s.PIDs {
		all = append(all, namedPID{"pid " + strconv.Itoa(pid), pid})
		for _, child := range children(pid) {
			all = append(all, namedPID{"pid " + strconv.Itoa(pid) + "'s child", child})
		}
	}
	return all
}

func (s *peer) drained(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(s.Settle):
		return nil
	}
}

func (s *peer) count(ctx context.Context) (uint64, error) {
	if s.Count == "" {
		return 0, nil
	}
	out, err := exec.CommandContext(ctx, "sh", "-c", s.Count).Output()
	if err != nil {
		return 0, fmt.Errorf("%s: %w", s.Count, err)
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(out)), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", s.Count, err)
	}
	return n, nil
}

func (s *peer) outcome(ctx context.Context, r *Result) error {
	if s.Count == "" {
		return nil
	}
	n, err := s.count(ctx)
	if err != nil {
		return err
	}
	n -= s.before
	r.Stored = &n
	return nil
}

// stop ends the process group, by force when it does not go.
func (s *peer) stop() error {
	group := -s.cmd.Process.Pid
	_ = syscall.Kill(group, syscall.SIGTERM)
	done := make(chan struct{})
	go func() {
		_ = s.cmd.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		_ = syscall.Kill(group, syscall.SIGKILL)
		<-done
	}
	return nil
}
