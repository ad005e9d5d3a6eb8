//go:build linux

package fdstore_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/heplake/heplake/internal/fdstore"
	"github.com/heplake/heplake/internal/fdstore/fdstoretest"
)

// TestMain is also the process that TestSocketsOutliveProcesses starts.
func TestMain(m *testing.M) {
	if os.Getenv("FDSTORE_TEST_CHILD") != "" {
		os.Exit(child())
	}
	os.Exit(m.Run())
}

// child keeps a new socket, or says what the one that was kept has received.
func child() int {
	s, err := fdstore.FromEnvironment()
	if err != nil {
		panic(err)
	}
	for _, name := range []string{"NOTIFY_SOCKET", "LISTEN_PID", "LISTEN_FDS", "FDSTORE"} {
		if os.Getenv(name) != "" {
			panic(name + " is left for children")
		}
	}
	if f := s.Take("socket-1"); f != nil {
		c, err := net.FilePacketConn(f)
		if err != nil {
			panic(err)
		}
		b := make([]byte, 100)
		_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
		n, _, err := c.ReadFrom(b)
		if err != nil {
			panic(err)
		}
		_, _ = os.Stdout.WriteString("received " + string(b[:n]))
		if err := s.Remove("socket-1"); err != nil {
			panic(err)
		}
		return 0
	}
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	raw, err := c.(*net.UDPConn).SyscallConn()
	if err != nil {
		panic(err)
	}
	_ = raw.Control(func(fd uintptr) { err = s.Keep("socket-1", int(fd)) })
	if err != nil {
		panic(err)
	}
	_, _ = os.Stdout.WriteString(c.LocalAddr().String())
	return 0
}

// TestSocketsOutliveProcesses: what is sent to a socket while there is no process is
// there for the next.
func TestSocketsOutliveProcesses(t *testing.T) {
	m, err := fdstoretest.New(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}()
	run := func() string {
		t.Helper()
		cmd := m.Command(os.Args[0])
		cmd.Env = append(m.Env(), "FDSTORE_TEST_CHILD=1")
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Run(); err != nil {
			t.Fatalf("%v\n%s", err, &out)
		}
		return out.String()
	}
	kept := func(want string) {
		t.Helper()
		for end := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
			got := strings.Join(m.Names(), " ")
			if got == want {
				return
			}
			if time.Now().After(end) {
				t.Fatalf("kept is %q, want %q", got, want)
			}
		}
	}
	addr := run()
	kept("socket-1")
	c, err := net.Dial("udp", addr)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, "while nobody is there"); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if got := run(); got != "received while nobody is there" {
		t.Errorf("%q", got)
	}
	kept("")
}

// TestNobodyKeeps: without a store there is none, and what is kept is nothing.
func TestNobodyKeeps(t *testing.T) {
	for _, env := range []map[string]string{{}, {"NOTIFY_SOCKET": "/nowhere"}, {"NOTIFY_SOCKET": "/nowhere", "FDSTORE": "0"}, {"LISTEN_PID": "1", "LISTEN_FDS": "3"}} {
		for _, name := range []string{"NOTIFY_SOCKET", "FDSTORE", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"} {
			t.Setenv(name, env[name])
		}
		s, err := fdstore.FromEnvironment()
		if s != nil || err != nil {
			t.Errorf("%v: %v, %v", env, s, err)
		}
		if err := s.Keep("a", 0); !errors.Is(err, errors.ErrUnsupported) || s.Take("a") != nil || s.Names() != nil {
			t.Errorf("%v: %v", env, err)
		}
	}
}
