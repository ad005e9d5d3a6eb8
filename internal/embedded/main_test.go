package embedded

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// envParent makes the test binary a parent of an engine in the directory it
// names, for tests that kill the parent.
const envParent = "HEPLAKE_TEST_PARENT_DIR"

func TestMain(m *testing.M) {
	MaybeChild()
	if dir := os.Getenv(envParent); dir != "" {
		s, err := Start(context.Background(), testConfig(dir))
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(s.PID())
		select {} // until killed
	}
	os.Exit(m.Run())
}

func testConfig(dir string) Config {
	return Config{
		Dir:         dir,
		Library:     os.Getenv("HEPLAKE_EMBEDDED_LIBRARY"),
		MemoryLimit: 1 << 30,
		Logger:      slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
}

// start runs an engine for the test and expects it to stop cleanly at the end,
// unless the test stopped it.
func start(t *testing.T, c Config) *Server {
	t.Helper()
	s, err := Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		select {
		case <-s.Done():
		default:
			stop(t, s)
		}
	})
	return s
}

func stop(t *testing.T, s *Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := s.Stop(ctx); err != nil {
		t.Error(err)
	}
}

// ask runs one statement over HTTP and returns the answer without its line end.
func ask(t *testing.T, s *Server, u User, sql string) (string, error) {
	t.Helper()
	return post(t, s, u, s.Password(u), sql)
}

func post(t *testing.T, s *Server, u User, password, sql string) (string, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost,
		"http://"+s.HTTPAddr()+"/?"+url.Values{"wait_end_of_query": {"1"}}.Encode(), strings.NewReader(sql))
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth(string(u), password)
	resp, err := probe.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", err
	}
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s: %s", resp.Status, b)
	}
	return strings.TrimSpace(string(b)), nil
}

// must is ask for a statement that has to succeed.
func must(t *testing.T, s *Server, u User, sql string) string {
	t.Helper()
	out, err := ask(t, s, u, sql)
	if err != nil {
		t.Fatalf("%s: %s: %v", u, sql, err)
	}
	return out
}

// createTable makes heplake.t with one row.
func createTable(t *testing.T, s *Server) {
	t.Helper()
	must(t, s, Owner, "CREATE DATABASE heplake ENGINE = Atomic")
	must(t, s, Owner, "CREATE TABLE heplake.t (n UInt32) ENGINE = MergeTree ORDER BY n")
	must(t, s, Writer, "INSERT INTO heplake.t VALUES (7)")
}

// eventually waits for a condition that another process brings about.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("still waiting after a minute: %s", what)
}

// startParent runs the test binary as the parent of an engine in dir and
// returns its process and the engine's id.
func startParent(t *testing.T, dir string) (*exec.Cmd, int) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), envParent+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	var pid int
	if _, err := fmt.Sscanf(line, "%d\n", &pid); err != nil {
		t.Fatalf("the parent said: %s", line)
	}
	return cmd, pid
}

// gone says whether a process has ended. A zombie has: its parent may be slow
// to collect it.
func gone(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return true
	}
	stat, err := os.ReadFile(filepath.Join("/proc", fmt.Sprint(pid), "stat"))
	return err == nil && strings.Contains(string(stat), ") Z ")
}
