//go:build linux

package kill

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/heplake/heplake/internal/captures"
	"github.com/heplake/heplake/internal/embedded"
	"github.com/heplake/heplake/internal/fdstore/fdstoretest"
)

// batchAge is the setting that bounds what a kill may cost.
const batchAge = 250 * time.Millisecond

// lake is a data directory and the heplake that serves it, across restarts.
type lake struct {
	binary, dir, log string
	env              []string
	cmd              *exec.Cmd
	exited           chan error
	addresses        map[string]string
	// seen is how many rows of sip were compared with what was sent.
	seen int
	// manager keeps heplake's sockets, if set.
	manager *fdstoretest.Manager
}

// build makes the binary once for the test.
func build(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "heplake")
	cmd := exec.Command("go", "build", "-o", path, "./cmd/heplake")
	cmd.Dir = captures.Root()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return path
}

func open(t *testing.T) *lake {
	t.Helper()
	l := prepare(t)
	l.start(t)
	return l
}

// prepare is open without the start.
func prepare(t *testing.T) *lake { return prepareBinary(t, build(t)) }

func prepareBinary(t *testing.T, binary string) *lake {
	t.Helper()
	library, err := embedded.FindLibrary(os.Getenv("HEPLAKE_EMBEDDED_LIBRARY"))
	if err != nil {
		t.Fatal(err)
	}
	l := &lake{binary: binary, dir: t.TempDir()}
	l.log = filepath.Join(l.dir, "heplake.log")
	for _, name := range []string{"PATH", "HOME", "TMPDIR"} {
		l.env = append(l.env, name+"="+os.Getenv(name))
	}
	for key, value := range map[string]string{
		"DATA_DIR": filepath.Join(l.dir, "data"), "HEP_UDP": "127.0.0.1:0", "HEP_TCP": "127.0.0.1:0", "HEP_HTTP": "127.0.0.1:0", "HEP_DURABLE": "true",
		"EMBEDDED_HTTP": "127.0.0.1:0", "EMBEDDED_TCP": "127.0.0.1:0", "EMBEDDED_LIBRARY": library, "EMBEDDED_MEMORY": "2GiB",
		"API_ADDR": "127.0.0.1:0", "METRICS_ADDR": "127.0.0.1:0", "BATCH_AGE": batchAge.String(),
	} {
		l.env = append(l.env, "HEPLAKE_"+key+"="+value)
	}
	t.Cleanup(func() {
		l.end(t)
		if t.Failed() {
			if b, err := os.ReadFile(l.log); err == nil {
				t.Logf("heplake's last words:\n%s", b[max(0, len(b)-4000):])
			}
		}
	})
	return l
}

// end asks heplake to stop, if it runs.
func (l *lake) end(t *testing.T) {
	t.Helper()
	if l.cmd == nil {
		return
	}
	l.signal(t, syscall.SIGTERM)
	if err := l.wait(t); err != nil {
		t.Errorf("heplake ended with %v", err)
	}
}

// start runs heplake and returns when it is ready.
func (l *lake) start(t *testing.T) {
	t.Helper()
	path := filepath.Join(l.dir, "data", "addresses.json")
	_ = os.Remove(path)
	log, err := os.OpenFile(l.log, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	l.cmd = exec.Command(l.binary, "serve")
	env := l.env
	if l.manager != nil {
		l.cmd, env = l.manager.Command(l.binary, "serve"), append(l.manager.Env(), l.env...)
	}
	l.cmd.Dir, l.cmd.Env, l.cmd.Stdout, l.cmd.Stderr = l.dir, env, log, log
	if err := l.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited, cmd := make(chan error, 1), l.cmd
	l.exited = exited
	go func() { exited <- cmd.Wait() }()
	eventually(t, "heplake is ready", func() bool {
		select {
		case err := <-exited:
			l.cmd = nil
			t.Fatalf("heplake ended while starting: %v", err)
		default:
		}
		b, err := os.ReadFile(path)
		return err == nil && json.Unmarshal(b, &l.addresses) == nil
	})
}

func (l *lake) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := l.cmd.Process.Signal(s); err != nil {
		t.Error(err)
	}
}

// wait returns how heplake ended.
func (l *lake) wait(t *testing.T) error {
	t.Helper()
	select {
	case err := <-l.exited:
		l.cmd = nil
		return err
	case <-time.After(3 * time.Minute): // a stop is bounded, but not what a slow disk has begun
		t.Error("heplake does not end")
		_ = l.cmd.Process.Kill()
		err := <-l.exited
		l.cmd = nil
		return err
	}
}

// engine is the process of the embedded ClickHouse, 0 while there is none.
func (l *lake) engine() int {
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", l.cmd.Process.Pid))
	for _, list := range lists {
		b, _ := os.ReadFile(list)
		for _, child := range strings.Fields(string(b)) {
			if line, _ := os.ReadFile("/proc/" + child + "/cmdline"); bytes.Contains(line, []byte("clickhouse-engine")) {
				pid, _ := strconv.Atoi(child)
				return pid
			}
		}
	}
	return 0
}

// books are the sums of heplake's metrics by name.
func (l *lake) books(t *testing.T) map[string]float64 {
	t.Helper()
	resp, err := http.Get("http://" + l.addresses["metrics"] + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	sums := map[string]float64{}
	for s := bufio.NewScanner(resp.Body); s.Scan(); {
		name, value, ok := strings.Cut(s.Text(), " ")
		if !ok || strings.HasPrefix(name, "#") {
			continue
		}
		n, err := strconv.ParseFloat(value[strings.LastIndexByte(value, ' ')+1:], 64)
		if err != nil {
			t.Fatalf("metric %s: %v", s.Text(), err)
		}
		sums[name] += n
		if plain, _, labels := strings.Cut(name, "{"); labels {
			sums[plain] += n
		}
		if strings.HasPrefix(name, "heplake_agent_clock_skew_seconds{") && strings.Contains(name, `what="min"`) {
			least := "heplake_agent_clock_skew_seconds{min}" // over all agents
			sums[least] = min(sums[least], n)
		}
	}
	if in, out := sums["heplake_received_total"], sums["heplake_stored_total"]+sums["heplake_dropped_total"]+sums["heplake_waiting"]; in != out {
		t.Errorf("the books do not balance: received %v, stored %v, dropped %v, waiting %v", in, sums["heplake_stored_total"], sums["heplake_dropped_total"], sums["heplake_waiting"])
	}
	return sums
}

// lastBooks are the figures that the last run's end wrote to the log, by name.
func (l *lake) lastBooks(t *testing.T) map[string]float64 {
	t.Helper()
	b, err := os.ReadFile(l.log)
	if err != nil {
		t.Fatal(err)
	}
	_, line, ok := strings.Cut(string(b[max(0, bytes.LastIndex(b, []byte("receipt has stopped"))):]), "\" ")
	if !ok {
		t.Fatal("the log has no final figures")
	}
	line, _, _ = strings.Cut(line, "\n")
	books := map[string]float64{}
	for word := range strings.FieldsSeq(line) {
		name, value, _ := strings.Cut(word, "=")
		n, err := strconv.ParseFloat(value, 64)
		if err != nil {
			t.Fatalf("%q in the log: %v", word, err)
		}
		books[name] = n
	}
	if books["received"] != books["stored"]+books["dropped"]+books["waiting"] {
		t.Errorf("the final books do not balance: %v", books)
	}
	return books
}

// settle waits until everything received is accounted for, and nothing more comes.
func (l *lake) settle(t *testing.T) map[string]float64 {
	t.Helper()
	var books map[string]float64
	last, quiet := -1.0, 0
	eventually(t, "everything received is stored", func() bool {
		books = l.books(t)
		if books["heplake_waiting"] == 0 && books["heplake_received_total"] == last {
			quiet++
		} else {
			quiet = 0
		}
		last = books["heplake_received_total"]
		time.Sleep(50 * time.Millisecond)
		return quiet >= 6
	})
	return books
}

// asking keeps no connection: at its end the engine waits for seconds for those
// that it has.
var asking = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

// query asks the engine.
func (l *lake) query(t *testing.T, sql string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+l.addresses["clickhouse_http"]+"/?"+url.Values{"database": {"heplake"}, "wait_end_of_query": {"1"}}.Encode(), strings.NewReader(sql))
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth(l.addresses["clickhouse_user"], l.addresses["clickhouse_password"])
	resp, err := asking.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s %v %s", sql, resp.Status, err, b)
	}
	return string(b)
}

// eventually waits for what another process brings about.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(3 * time.Minute); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("still waiting after three minutes: %s", what)
}
