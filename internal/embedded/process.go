package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// process is one execution of the child.
type process struct {
	cmd  *exec.Cmd
	live *os.File // write end of the pipe the child lives by

	exited chan struct{} // closed when the child is gone
	err    error         // how it ended; read after exited

	// Where this execution's lines begin in the two logs.
	stderrPath, errlogPath string
	stderrFrom, errlogFrom int64
}

// maxStderr is the size at which the file of the child's own output starts
// anew. Only crashes write much to it.
const maxStderr = 1 << 20

// spawn executes the child. The caller owns the result: it must see exited
// closed before it forgets it.
func spawn(c Config, library string, lock *os.File) (*process, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("embedded clickhouse: %w", err)
	}
	if fileSize(c.stderrPath()) > maxStderr {
		_ = os.Truncate(c.stderrPath(), 0)
	}
	out, err := os.OpenFile(c.stderrPath(), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("embedded clickhouse: %w", err)
	}
	defer func() { _ = out.Close() }()
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("embedded clickhouse: %w", err)
	}
	defer func() { _ = r.Close() }()

	cmd := exec.Command(exe, append([]string{childArg}, childArgs(library, c)...)...)
	cmd.Dir = c.Dir
	cmd.Env = childEnviron()
	// A file, not a pipe: the child can write on while its parent dies, and
	// Wait depends on nobody else.
	cmd.Stdout, cmd.Stderr = out, out
	cmd.ExtraFiles = []*os.File{lock, r} // lockFD, liveFD
	cmd.SysProcAttr = sysProcAttr()

	p := &process{
		cmd: cmd, live: w, exited: make(chan struct{}),
		stderrPath: c.stderrPath(), stderrFrom: fileSize(c.stderrPath()),
		errlogPath: c.errlogPath(), errlogFrom: fileSize(c.errlogPath()),
	}
	started := make(chan error, 1)
	go func() {
		// Linux sends the parent-death signal when the thread that forked
		// ends, not the process: hold the thread for the child's life.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		p.err = cmd.Wait()
		close(p.exited)
	}()
	if err := <-started; err != nil {
		_ = w.Close()
		return nil, fmt.Errorf("embedded clickhouse: start the engine: %w", err)
	}
	return p, nil
}

// allocatorEnv is what ClickHouse's allocator (jemalloc) takes its options from,
// and allocatorOptions those it gets unless the environment has others: memory
// that was freed stays for a minute, not for ClickHouse's five seconds. Inserts
// and merges take and free some 30 MiB each, every second or so; to get that
// from the kernel anew, page by page, was a twentieth of the engine's CPU.
const (
	allocatorEnv     = "JE_MALLOC_CONF"
	allocatorOptions = "dirty_decay_ms:60000"
)

// childEnviron passes on what the loader and the engine need. Settings of
// heplake, which may hold passwords, stay here. ClickHouse takes its time zone
// from TZ: days and partitions are UTC.
func childEnviron() []string {
	allocator, ok := os.LookupEnv(allocatorEnv)
	if !ok {
		allocator = allocatorOptions
	}
	env := []string{childEnv + "=1", "TZ=UTC", "TERM=dumb", allocatorEnv + "=" + allocator}
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return env
}

// errExited says that the child ended before it was ready.
var errExited = errors.New("the engine ended while starting")

// waitReady returns when the engine answers on both ports. On failure the
// error carries the engine's last words; the child may still be running.
func (p *process) waitReady(ctx context.Context, a addresses, creds credentials) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-p.exited:
			return fmt.Errorf("embedded clickhouse: %w (%v)%s", errExited, exitText(p.err), p.lastWords())
		case <-ctx.Done():
			return fmt.Errorf("embedded clickhouse: the engine is not ready: %w%s", context.Cause(ctx), p.lastWords())
		case <-tick.C:
			if answers(ctx, a, creds) {
				return nil
			}
			// At its prompt the engine survives a listener that failed.
			for _, line := range tail(p.stderrPath, p.stderrFrom, 50) {
				if strings.Contains(line, "DB::Exception") {
					return fmt.Errorf("embedded clickhouse: the engine cannot serve%s", p.lastWords())
				}
			}
		}
	}
}

// probe has no proxy and keeps no connection: it talks to the engine alone.
var probe = &http.Client{
	Transport: &http.Transport{DisableKeepAlives: true, ResponseHeaderTimeout: 5 * time.Second},
}

// answers asks for a ping, which needs no password, then for a query as the
// owner, which only an engine with our users.xml answers.
func answers(ctx context.Context, a addresses, creds credentials) bool {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	addrs := addresses{host: a.dialHost(), http: a.http, tcp: a.tcp}
	get := func(path string) string {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addrs.httpAddr()+path, nil)
		if err != nil {
			return ""
		}
		if path != "/ping" {
			req.SetBasicAuth(string(Owner), creds[Owner])
		}
		resp, err := probe.Do(req)
		if err != nil {
			return ""
		}
		defer func() { _ = resp.Body.Close() }()
		b, err := io.ReadAll(io.LimitReader(resp.Body, 64))
		if err != nil || resp.StatusCode != http.StatusOK {
			return ""
		}
		return strings.TrimSpace(string(b))
	}
	if get("/ping") != "Ok." || get("/?query=SELECT+1") != "1" {
		return false
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addrs.tcpAddr())
	if err != nil {
		return false
	}
	return conn.Close() == nil
}

// stop ends the child: it closes the pipe, sends SIGTERM after grace, and
// SIGKILL a tenth of grace later or when ctx ends. It returns when the child is
// gone, with an error if it had to be killed or ended otherwise than cleanly.
func (p *process) stop(ctx context.Context, grace time.Duration) error {
	_ = p.live.Close()
	if p.wait(ctx, grace) {
		if p.err != nil {
			return fmt.Errorf("embedded clickhouse: the engine stopped badly (%v)%s", exitText(p.err), p.lastWords())
		}
		return nil
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	if !p.wait(ctx, grace/10) {
		_ = p.cmd.Process.Kill()
		<-p.exited
	}
	return fmt.Errorf("embedded clickhouse: the engine did not stop in time and was killed%s", p.lastWords())
}

// wait says whether the child ended within d and before ctx.
func (p *process) wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-p.exited:
		return true
	case <-ctx.Done():
		return false
	case <-t.C:
		return false
	}
}

func exitText(err error) string {
	if err == nil {
		return "exit status 0"
	}
	return err.Error()
}

// lastWords returns what this execution wrote last, to be put behind an error:
// empty, or a line break and some lines.
func (p *process) lastWords() string {
	lines := slices.Concat(
		telling(tail(p.errlogPath, p.errlogFrom, 200), 5),
		telling(tail(p.stderrPath, p.stderrFrom, 200), 10),
	)
	if len(lines) == 0 {
		return ""
	}
	return "; its last lines:\n\t" + strings.Join(lines, "\n\t")
}

// noise matches the lines of the engine that say nothing to a reader: stack
// frames, for which the library has no names, and what it prints on every start.
var noise = regexp.MustCompile(`^\s*$|\d+\. .*@ 0x|^Logging |^\s*\(version `)

// telling returns the last n lines that are not noise.
func telling(lines []string, n int) []string {
	lines = slices.DeleteFunc(lines, noise.MatchString)
	return lines[max(0, len(lines)-n):]
}

// tail returns at most n lines from the end of a file, none before offset from.
// A file shorter than from was rotated and is taken from its start.
func tail(path string, from int64, n int) []string {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer func() { _ = f.Close() }()
	size := fileSize(path)
	if size < from {
		from = 0
	}
	const most = 16 << 10
	from = max(from, size-most)
	b, err := io.ReadAll(io.NewSectionReader(f, from, most))
	if err != nil {
		return nil
	}
	b = bytes.TrimSpace(b)
	if len(b) == 0 {
		return nil
	}
	lines := strings.Split(string(b), "\n")
	return lines[max(0, len(lines)-n):]
}

func fileSize(path string) int64 {
	st, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return st.Size()
}
