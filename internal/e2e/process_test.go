package e2e

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// process is a program that a test started. It and what it started end with
// the test, also when that fails; they end too when the test binary dies.
type process struct {
	t    testing.TB
	name string
	cmd  *exec.Cmd
	log  string // path of what it wrote to stdout and stderr
	done chan struct{}
	err  error // of its end, once done is closed
}

// started counts processes, to tell their logs apart.
var started atomic.Int64

// start runs a program in the background.
func start(t testing.TB, env []string, name string, args ...string) *process {
	t.Helper()
	p := &process{t: t, name: filepath.Base(name), cmd: exec.Command(name, args...), done: make(chan struct{})}
	p.log = filepath.Join(t.TempDir(), p.name+"-"+strconv.FormatInt(started.Add(1), 10)+".log")
	out, err := os.Create(p.log)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = out.Close() }()
	p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = env, out, out
	p.cmd.Dir = filepath.Dir(p.log)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", p.name, err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Signal(syscall.SIGTERM) // so that it can reap what it started
		select {
		case <-p.done:
		case <-time.After(politeness):
		}
		p.kill()
		if t.Failed() {
			t.Logf("the end of what %s said:\n%s", p.name, p.said())
		}
	})
	return p
}

// said is the end of what the process wrote.
func (p *process) said() []byte {
	b, _ := os.ReadFile(p.log)
	const most = 4000
	if len(b) > most {
		b = append([]byte("…"), b[len(b)-most:]...)
	}
	return bytes.TrimSpace(b)
}

// kill ends the process and what it started at once, and waits for its end.
func (p *process) kill() {
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	<-p.done
}

// signal sends a signal to the process alone.
func (p *process) signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatalf("signal %s: %v", p.name, err)
	}
}

// wait waits for the end of the process and fails the test unless its exit
// code is 0.
func (p *process) wait(limit time.Duration) {
	p.t.Helper()
	select {
	case <-p.done:
		if p.err != nil {
			p.t.Fatalf("%s: %v\n%s", p.name, p.err, p.said())
		}
	case <-time.After(limit):
		p.t.Fatalf("%s has not ended after %s\n%s", p.name, limit, p.said())
	}
}

// ended tells whether the process is gone.
func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// politeness is how long a process has to end by itself when its test is over.
const politeness = 3 * time.Second

// poll is how often a condition is looked at.
const poll = 10 * time.Millisecond

// patience bounds the wait for anything that should be a matter of a second;
// a busy machine may take longer.
const patience = 30 * time.Second

// eventually waits until look reports that what it looks for is there. What it
// says is part of the failure otherwise.
func eventually(t testing.TB, what string, look func() (ok bool, seen string)) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		ok, seen := look()
		if ok {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("after %s still not: %s; %s", patience, what, seen)
		}
		time.Sleep(poll)
	}
}

// freePort returns a loopback port that is free for UDP and TCP now. Programs
// that can choose a port themselves and say which do so instead.
func freePort(t testing.TB) int { return freePorts(t, 1) }

// given are ports that were returned: who asked for one may not use it yet.
var given sync.Map

// freePorts returns the first of n consecutive ports that are free for UDP and
// TCP now.
func freePorts(t testing.TB, n int) int {
	t.Helper()
	loopback := netip.MustParseAddr("127.0.0.1")
	free := func(port int) bool {
		if _, used := given.LoadOrStore(port, true); used {
			return false
		}
		addr := netip.AddrPortFrom(loopback, uint16(port))
		udp, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(addr))
		if err != nil {
			return false
		}
		defer func() { _ = udp.Close() }()
		tcp, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(addr))
		if err != nil {
			return false
		}
		return tcp.Close() == nil
	}
	for range 50 {
		// Below those that the kernel gives to whoever asks for any: nobody else takes
		// them before the program that they are for does.
		first := (12_000 + rand.IntN(20_000)) &^ 1
		ok := first+n < 1<<16
		for i := 0; ok && i < n; i++ {
			ok = free(first + i)
		}
		if ok {
			return first
		}
	}
	t.Fatalf("no %d free ports in a row", n)
	return 0
}

// udpBound tells whether somebody holds the UDP port. It asks the kernel: who tries the
// port takes it for a moment from the program that is about to.
func udpBound(port int) bool {
	end := fmt.Sprintf(":%04X", port)
	for _, list := range []string{"/proc/net/udp", "/proc/net/udp6"} {
		b, err := os.ReadFile(list)
		if err != nil {
			continue // no IPv6
		}
		for line := range strings.Lines(string(b)) {
			if words := strings.Fields(line); len(words) > 1 && strings.HasSuffix(words[1], end) {
				return true
			}
		}
	}
	return false
}

// tcpBound tells whether somebody listens on the TCP port of loopback.
func tcpBound(port int) bool {
	c, err := net.DialTimeout("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), time.Second)
	if err != nil {
		return false
	}
	_ = c.Close()
	return true
}
