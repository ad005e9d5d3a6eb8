package embedded

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
)

func TestServesBothProtocols(t *testing.T) {
	s := start(t, testConfig(filepath.Join(t.TempDir(), "clickhouse")))
	createTable(t, s)
	for _, address := range []string{s.URL(Owner), s.NativeURL(Owner), s.URL(Writer), s.NativeURL(Writer), s.URL(Reader), s.NativeURL(Reader)} {
		opts, err := clickhouse.ParseDSN(address)
		if err != nil {
			t.Fatal(err)
		}
		conn, err := clickhouse.Open(opts)
		if err != nil {
			t.Fatal(err)
		}
		// A deadline becomes a setting: the reader's profile must let it pass.
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		var n uint32
		var zone, version string
		err = conn.QueryRow(ctx, "SELECT n, timezone(), version() FROM t").Scan(&n, &zone, &version)
		cancel()
		if err != nil {
			t.Errorf("%s as %s: %v", opts.Protocol, opts.Auth.Username, err)
		} else if n != 7 || zone != "UTC" || !strings.HasPrefix(version, "26.7.") {
			t.Errorf("%s as %s: n = %d, zone %q, version %q", opts.Protocol, opts.Auth.Username, n, zone, version)
		}
		_ = conn.Close()
	}
	if s.Restarts() != 0 || !s.Ready() {
		t.Errorf("restarts %d, ready %t", s.Restarts(), s.Ready())
	}
}

func TestDataSurvivesRestart(t *testing.T) {
	c := testConfig(filepath.Join(t.TempDir(), "clickhouse"))
	s := start(t, c)
	createTable(t, s)
	password := s.Password(Reader)
	must(t, s, Owner, "SYSTEM FLUSH LOGS")
	stop(t, s)
	if s.Ready() {
		t.Error("ready after Stop")
	}
	select {
	case <-s.Done():
	default:
		t.Error("Done is open after Stop")
	}
	s = start(t, c)
	if got := must(t, s, Reader, "SELECT sum(n) FROM heplake.t"); got != "7" {
		t.Errorf("sum %s, want 7", got)
	}
	if s.Password(Reader) != password {
		t.Error("the reader's password changed over a restart")
	}
	// The logs of queries begin anew with a run.
	must(t, s, Owner, "SYSTEM FLUSH LOGS")
	if got := must(t, s, Owner, "SELECT count() > 0 FROM system.query_log WHERE query LIKE '%sum(n)%'"); got != "1" {
		t.Errorf("query_log after a restart: %s", got)
	}
}

func TestCrashRestarts(t *testing.T) {
	c := testConfig(filepath.Join(t.TempDir(), "clickhouse"))
	var crashes atomic.Int32
	c.OnCrash = func(err error) {
		if !strings.Contains(err.Error(), "killed") {
			t.Errorf("crash reported as: %v", err)
		}
		crashes.Add(1)
	}
	s := start(t, c)
	createTable(t, s)
	httpAddr, tcpAddr, pid := s.HTTPAddr(), s.TCPAddr(), s.PID()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "restart", func() bool { return s.Ready() && s.PID() != pid })
	select {
	case <-s.Done():
		t.Error("Done is closed by a crash")
	default:
	}
	if s.Restarts() != 1 || crashes.Load() != 1 {
		t.Errorf("restarts %d, crashes reported %d, want 1 and 1", s.Restarts(), crashes.Load())
	}
	if s.HTTPAddr() != httpAddr || s.TCPAddr() != tcpAddr {
		t.Error("the addresses changed over a crash")
	}
	if got := must(t, s, Reader, "SELECT sum(n) FROM heplake.t"); got != "7" {
		t.Errorf("sum %s, want 7", got)
	}

	// Stop finds no child, only a restart being waited for.
	if err := syscall.Kill(s.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "second crash", func() bool { return crashes.Load() == 2 })
	stop(t, s)
}

func TestStopKillsWhenTimeIsUp(t *testing.T) {
	s := start(t, testConfig(filepath.Join(t.TempDir(), "clickhouse")))
	pid := s.PID()
	// A process that is stopped cannot shut down.
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := s.Stop(ctx)
	if err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("Stop said %v, want that it killed the engine", err)
	}
	if !gone(pid) {
		t.Error("the engine is still there")
	}
}

func TestTermStopsCleanly(t *testing.T) {
	s := start(t, testConfig(filepath.Join(t.TempDir(), "clickhouse")))
	pid := s.PID()
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	eventually(t, "restart", func() bool { return s.Ready() && s.PID() != pid })
	b, err := os.ReadFile(filepath.Join(s.cfg.LogDir, "clickhouse.log"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(b), "Application: Listening for http") {
		t.Fatal("clickhouse.log is not the log this test reads")
	}
	if strings.Contains(string(b), "<Fatal>") {
		t.Error("SIGTERM crashed the engine")
	}
}

// TestParentKilled is the case of kill -9 on heplake: the engine must neither
// linger nor keep the directory.
func TestParentKilled(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "clickhouse")
	parent, pid := startParent(t, dir)
	if gone(pid) {
		t.Fatal("no engine")
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait()
	// At once: Start waits for the engine that is shutting down.
	start(t, testConfig(dir))
	if !gone(pid) {
		t.Error("two engines in one directory")
	}
}

// A paused engine does not see that its parent has gone, unless it is woken.
func TestParentKilledDuringPause(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "clickhouse")
	parent, pid := startParent(t, dir)
	engine, err := os.FindProcess(pid)
	if err != nil {
		t.Fatal(err)
	}
	if err := halt(engine); errors.Is(err, errors.ErrUnsupported) {
		t.Skip("engines are not paused here")
	} else if err != nil {
		t.Fatal(err)
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait()
	eventually(t, "the engine's end", func() bool { return gone(pid) })
	start(t, testConfig(dir))
}

func TestPause(t *testing.T) {
	s := start(t, testConfig(filepath.Join(t.TempDir(), "clickhouse")))
	pid := s.PID()
	if !s.Pause() {
		t.Skip("engines are not paused here")
	}
	answered := make(chan error, 1)
	go func() {
		_, err := ask(t, s, Owner, "SELECT 1")
		answered <- err
	}()
	select {
	case err := <-answered:
		t.Errorf("a paused engine answered (%v)", err)
	case <-time.After(300 * time.Millisecond):
	}
	if !s.Pause() {
		t.Error("an engine that is paused says that it is not")
	}
	s.Resume()
	s.Resume()
	if err := <-answered; err != nil {
		t.Error(err)
	}
	// An engine that is killed in a pause comes back and runs.
	if !s.Pause() {
		t.Error("no second pause")
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "another engine", func() bool { return s.Ready() && s.PID() != pid })
	must(t, s, Owner, "SELECT 1")
	// And one that is asked to stop ends cleanly, which start sees to.
	if !s.Pause() {
		t.Error("no pause after a crash")
	}
	stop(t, s)
	if s.Pause() {
		t.Error("there is no engine to pause")
	}
}

func TestSecondOpenerRefused(t *testing.T) {
	c := testConfig(filepath.Join(t.TempDir(), "clickhouse"))
	s := start(t, c)
	other, err := Start(t.Context(), c)
	if err == nil {
		stop(t, other)
		t.Fatal("two engines in one directory")
	}
	if !strings.Contains(err.Error(), c.Dir) || !strings.Contains(err.Error(), "in use") {
		t.Errorf("error %q does not say that %s is in use", err, c.Dir)
	}
	must(t, s, Owner, "SELECT 1")
}

// TestBadClients is why the engine sits at a prompt: without, each of these
// ends it.
func TestBadClients(t *testing.T) {
	s := start(t, testConfig(filepath.Join(t.TempDir(), "clickhouse")))
	pid := s.PID()
	noise := make([]byte, 2000)
	_, _ = rand.Read(noise)
	for name, sent := range map[string][]byte{
		"nothing":       nil,
		"noise":         noise,
		"HTTP":          []byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
		"half a hello":  []byte("\x00\x06client\x1a\x02"),
		"half a header": []byte("POST /?query=INSERT+INTO+t+FORMAT+TSV HTTP/1.1\r\nContent-Length: 9"),
		"half a body":   []byte("POST /?query=SELECT+1 HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nabc"),
	} {
		for _, addr := range []string{s.HTTPAddr(), s.TCPAddr()} {
			for _, reset := range []bool{false, true} {
				conn, err := net.Dial("tcp", addr)
				if err != nil {
					t.Fatalf("%s to %s: %v", name, addr, err)
				}
				_, _ = conn.Write(sent)
				if reset {
					_ = conn.(*net.TCPConn).SetLinger(0)
				} else {
					_ = conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
					_, _ = io.ReadAll(conn)
				}
				_ = conn.Close()
			}
		}
	}
	must(t, s, Owner, "SELECT 1")
	if s.PID() != pid || s.Restarts() != 0 {
		t.Errorf("%d restarts", s.Restarts())
	}
}

func TestMemoryLimit(t *testing.T) {
	s := start(t, testConfig(filepath.Join(t.TempDir(), "clickhouse")))
	_, err := ask(t, s, Owner, "SELECT length(groupArray(number)) FROM numbers(1000000000)")
	if err == nil || !strings.Contains(err.Error(), "MEMORY_LIMIT_EXCEEDED") {
		t.Errorf("8 GB of numbers in 1 GiB: %v", err)
	}
	must(t, s, Owner, "SELECT 1")
	if s.Restarts() != 0 {
		t.Errorf("%d restarts", s.Restarts())
	}
}

func TestStartFails(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = busy.Close() }()
	notLibrary := filepath.Join(t.TempDir(), "libchdb.so")
	if err := os.WriteFile(notLibrary, []byte("not a library"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name   string
		change func(*Config)
		want   []string
	}{
		{"no directory", func(c *Config) { c.Dir = "" }, []string{"directory"}},
		{"two hosts", func(c *Config) { c.HTTP, c.TCP = "127.0.0.1:0", "127.0.0.2:0" }, []string{"same host"}},
		{"http port taken", func(c *Config) { c.HTTP = busy.Addr().String() }, []string{busy.Addr().String(), "in use"}},
		{"tcp port taken", func(c *Config) { c.TCP = busy.Addr().String() }, []string{busy.Addr().String(), "in use"}},
		{"library missing", func(c *Config) { c.Library = "/nowhere/libchdb.so" },
			[]string{"/nowhere/libchdb.so", "embedded.library", "HEPLAKE_EMBEDDED_LIBRARY"}},
		{"library is none", func(c *Config) { c.Library = notLibrary }, []string{notLibrary, "exit status 2"}},
		{"engine refuses its configuration", func(c *Config) { c.ExtraConfig = "<unclosed>" },
			[]string{"ended while starting", "config.xml"}},
		{"no answer in time", func(c *Config) { c.StartTimeout = time.Nanosecond }, []string{"not ready", "1ns"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := testConfig(filepath.Join(t.TempDir(), "clickhouse"))
			test.change(&c)
			s, err := Start(t.Context(), c)
			if err == nil {
				stop(t, s)
				t.Fatal("started")
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error lacks %q: %v", want, err)
				}
			}
			if c.Dir != "" {
				// A failed start leaves the directory free.
				if _, err := os.Stat(c.Dir); errors.Is(err, fs.ErrNotExist) {
					return
				}
				lock, err := lockDir(c.Dir, 0)
				if err != nil {
					t.Fatal(err)
				}
				_ = lock.Close()
			}
		})
	}
}

// TestListenerFails is the race that choosing a port leaves open: somebody
// takes it before the engine does.
func TestListenerFails(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = busy.Close() }()
	c, err := testConfig(filepath.Join(t.TempDir(), "clickhouse")).withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	free, err := addresses{host: "127.0.0.1"}.choose()
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{cfg: c, log: c.Logger, addr: free}
	s.addr.tcp = busy.Addr().(*net.TCPAddr).Port
	if s.library, err = FindLibrary(c.Library); err != nil {
		t.Fatal(err)
	}
	if err := c.makeDirs(); err != nil {
		t.Fatal(err)
	}
	if s.creds, err = loadCredentials(c.Dir); err != nil {
		t.Fatal(err)
	}
	if s.lock, err = lockDir(c.Dir, 0); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.lock.Close() }()
	if err := writeFiles(c, s.addr, s.creds); err != nil {
		t.Fatal(err)
	}
	p, err := s.launch(t.Context())
	if err == nil {
		_ = p.stop(t.Context(), time.Second)
		t.Fatal("ready on a port of somebody else")
	}
	if !strings.Contains(err.Error(), addressInUse) {
		t.Errorf("error %q would not make Start choose another port", err)
	}
}

func TestMaybeChildForgotten(t *testing.T) {
	t.Setenv(childEnv, "1")
	_, err := Start(t.Context(), testConfig(t.TempDir()))
	if err == nil || !strings.Contains(err.Error(), "MaybeChild") {
		t.Errorf("Start in an engine's own process: %v", err)
	}
}
