package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/heplake/heplake/internal/config"
)

// readiness is what /readyz asks.
type readiness struct {
	schema, listening atomic.Bool
}

// pingTimeout bounds the question whether ClickHouse answers.
const pingTimeout = 3 * time.Second

// check returns the readiness check: nil when the schema is in place, the
// listeners are open where there are any, and ClickHouse answers.
func (r *readiness) check(db *database) func(context.Context) error {
	return func(ctx context.Context) error {
		if !r.schema.Load() {
			return errors.New("the schema is not in place yet")
		}
		conn, err := connect(db.reader, false)
		if err != nil {
			return err
		}
		defer func() { _ = conn.Close() }()
		ctx, cancel := context.WithTimeout(ctx, pingTimeout)
		defer cancel()
		if err := conn.Ping(ctx); err != nil {
			return fmt.Errorf("ClickHouse does not answer: %w", err)
		}
		return nil
	}
}

// startMetrics serves /metrics, /healthz and /readyz.
func (s *server) startMetrics(ctx context.Context) error {
	if !config.On(s.c.Metrics.Addr) {
		return nil
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.registry, promhttp.HandlerOpts{Registry: s.registry}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	ready := s.ready.check(s.db)
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if err := ready(r.Context()); err != nil {
			http.Error(w, oneLine(err), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ready")
	})
	if s.c.Metrics.Pprof {
		mux.HandleFunc("GET /debug/pprof/", pprof.Index)
		mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
		mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	}
	addr, err := s.serveHTTP(ctx, "metrics", s.c.Metrics.Addr, mux)
	if err != nil {
		return err
	}
	s.addresses["metrics"] = addr
	return nil
}

// serveHTTP serves the handler until the stop and returns where.
func (s *server) serveHTTP(ctx context.Context, name, addr string, handler http.Handler) (string, error) {
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return "", fmt.Errorf("%s.addr: %w", name, err)
	}
	srv := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute}
	go func() {
		if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			s.log.Error("http", "server", name, "error", err)
		}
	}()
	s.onStop(func(ctx context.Context) error {
		// Searches that run are not waited for longer than it takes to be polite.
		ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
		defer cancel()
		if srv.Shutdown(ctx) != nil {
			return srv.Close()
		}
		return nil
	})
	return reachable(ln.Addr().(*net.TCPAddr).AddrPort()), nil
}

// reachable is the address at which this machine reaches a listener: loopback
// for one that listens on every address.
func reachable(a netip.AddrPort) string {
	addr := a.Addr().Unmap()
	if addr.IsUnspecified() {
		addr = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	return netip.AddrPortFrom(addr, a.Port()).String()
}

// writeAddresses writes <data.dir>/addresses.json, for scripts and for tests
// that let ports be chosen. It holds a password and is the owner's alone.
func writeAddresses(dir string, addresses map[string]string) error {
	b, err := json.MarshalIndent(addresses, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("data.dir: %w", err)
	}
	path := filepath.Join(dir, "addresses.json")
	tmp := path + ".tmp"
	if err := os.WriteFile(tmp, append(b, '\n'), 0o600); err != nil {
		return fmt.Errorf("data.dir: %w", err)
	}
	return os.Rename(tmp, path)
}

// logAddresses says where everything listens, without the password.
func (s *server) logAddresses() {
	var names []string
	for name := range s.addresses {
		if !strings.HasPrefix(name, "clickhouse_user") && !strings.HasPrefix(name, "clickhouse_password") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var args []any
	for _, name := range names {
		args = append(args, name, s.addresses[name])
	}
	s.log.Info("ready", args...)
}
