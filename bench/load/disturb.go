package load

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// clickhouse is the engine as a process of its own, `heplake clickhouse`, so
// that it can be away.
type clickhouse struct {
	binary, dir string
	env         []string
	cmd         *exec.Cmd
	ended       chan struct{}
	addresses   map[string]string
}

// startApart runs `heplake ingest` in front of a ClickHouse of its own.
func startApart(ctx context.Context, binary string) (_ *heplake, err error) {
	dir, err := os.MkdirTemp("", "heplake-load-")
	if err != nil {
		return nil, err
	}
	c := &clickhouse{binary: binary, dir: filepath.Join(dir, "clickhouse-apart")}
	h := &heplake{binary: binary, dir: dir, apart: c, dropped: map[string]uint64{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, h.stop())
		}
	}()
	addresses, err := freeAddresses(2)
	if err != nil {
		return nil, err
	}
	for i, key := range []string{"EMBEDDED_HTTP", "EMBEDDED_TCP"} {
		c.env = append(c.env, "HEPLAKE_"+key+"="+addresses[i]) // the same after an outage
	}
	if err := c.start(ctx); err != nil {
		return nil, err
	}
	at := url.URL{Scheme: "http", Host: c.addresses["clickhouse_http"], Path: "/heplake",
		User: url.UserPassword(c.addresses["clickhouse_user"], c.addresses["clickhouse_password"])}
	if err := h.start(ctx, "ingest", "HEPLAKE_CLICKHOUSE_URL="+at.String()); err != nil {
		return nil, err
	}
	for key, value := range c.addresses {
		h.addresses[key] = value
	}
	return h, nil
}

// freeAddresses are n different addresses on which nobody listens now. All are
// taken before one is let go: the kernel may give the same again.
func freeAddresses(n int) (out []string, err error) {
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer func() { _ = l.Close() }()
		out = append(out, l.Addr().String())
	}
	return out, nil
}

// start runs it and waits until it answers.
func (c *clickhouse) start(ctx context.Context) error {
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return err
	}
	c.cmd = exec.Command(c.binary, "clickhouse")
	c.cmd.Env = append(append(os.Environ(), "HEPLAKE_DATA_DIR="+c.dir), c.env...)
	var said bytes.Buffer
	c.cmd.Stderr = &said
	if err := c.cmd.Start(); err != nil {
		return err
	}
	ended, cmd := make(chan struct{}), c.cmd
	c.ended = ended
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	for began := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		b, err := os.ReadFile(filepath.Join(c.dir, "addresses.json"))
		if err == nil && json.Unmarshal(b, &c.addresses) == nil {
			if resp, err := http.Get("http://" + c.addresses["clickhouse_http"] + "/ping"); err == nil {
				_ = resp.Body.Close()
				return nil
			}
		}
		select {
		case <-ended:
			return fmt.Errorf("%s clickhouse has ended: %s", c.binary, said.String())
		default:
		}
		if time.Since(began) > startTimeout || ctx.Err() != nil {
			return fmt.Errorf("%s clickhouse does not answer after %s", c.binary, time.Since(began).Round(time.Second))
		}
	}
}

// stop ends it.
func (c *clickhouse) stop() error {
	if c.ended == nil {
		return nil
	}
	_ = c.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-c.ended:
	case <-time.After(30 * time.Second):
		_ = c.cmd.Process.Kill()
		<-c.ended
	}
	return nil
}

// disturb does to the server what the scenario has, while the generator sends.
func disturb(ctx context.Context, s Scenario, srv server, r *Result) error {
	if !s.disturbed() {
		return nil
	}
	h, ok := srv.(*heplake)
	if !ok {
		return fmt.Errorf("%s cannot be disturbed", srv.name())
	}
	wait := s.lead()
	if s.Restart {
		wait = s.Duration / 2
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(wait):
	}
	began := time.Now()
	if s.Restart {
		h.end()
		if err := h.readFinalLosses(); err != nil {
			return err
		}
		if err := h.start(ctx, "serve"); err != nil {
			return err
		}
	} else {
		if err := h.apart.stop(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Until(began.Add(s.Outage))):
		}
		if err := h.apart.start(ctx); err != nil {
			return err
		}
	}
	back := time.Now()
	away := back.Sub(began).Seconds()
	r.AwaySeconds = &away
	if err := h.caughtUp(ctx); err != nil {
		return err
	}
	after := time.Since(back).Seconds()
	r.DrainSeconds = &after
	return nil
}

// usualWait is how long a batch waits at most in undisturbed traffic: its age,
// and the time of an insert.
const usualWait = 3 * time.Second

// caughtUp waits until no batch has waited for longer.
func (h *heplake) caughtUp(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, drainTimeout)
	defer cancel()
	for {
		m, err := h.metrics(ctx)
		if err != nil {
			return err
		}
		if oldest := m["heplake_spool_oldest_seconds"].GetMetric(); len(oldest) == 1 && oldest[0].GetGauge().GetValue() <= usualWait.Seconds() {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not caught up: %w", ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// readFinalLosses takes the losses of a run that has ended from its log.
func (h *heplake) readFinalLosses() error {
	b, err := os.ReadFile(filepath.Join(h.dir, "log"))
	if err != nil {
		return err
	}
	at := bytes.LastIndex(b, []byte("receipt has stopped"))
	if at < 0 {
		return errors.New("heplake's log has no final figures")
	}
	line, _, _ := strings.Cut(string(b[at:]), "\n")
	for word := range strings.FieldsSeq(line) {
		if reason, ok := strings.CutPrefix(word, "dropped."); ok {
			name, value, _ := strings.Cut(reason, "=")
			n, err := strconv.ParseUint(value, 10, 64)
			if err != nil {
				return fmt.Errorf("final figures in heplake's log: %q: %w", word, err)
			}
			h.dropped[name] += n
		}
	}
	return nil
}
