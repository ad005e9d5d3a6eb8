package load

import "context"

// Server is a `heplake serve` with the embedded engine on ports that the kernel
// chose, whose data folder stays.
type Server struct{ h *heplake }

// Serve starts the binary on the folder, which may have data or not be there, and
// waits until it is ready. Stop it when done.
func Serve(ctx context.Context, binary, dir string) (*Server, error) {
	s := &Server{&heplake{binary: binary, dir: dir, dropped: map[string]uint64{}}}
	if err := s.h.start(ctx, "serve"); err != nil {
		if s.h.cmd != nil && s.h.cmd.Process != nil {
			s.h.end()
		}
		return nil, err
	}
	return s, nil
}

// Address is one of those of addresses.json: api, hep_tcp, clickhouse_http, ….
func (s *Server) Address(name string) string { return s.h.addresses[name] }

// Query asks the engine as its owner and returns the answer as tab-separated text.
func (s *Server) Query(ctx context.Context, sql string) (string, error) { return s.h.query(ctx, sql) }

// Drained waits until no packet has come for a second and none waits to be stored.
func (s *Server) Drained(ctx context.Context) error { return s.h.drained(ctx) }

// Stop ends the server. Its data stay.
func (s *Server) Stop() { s.h.end() }
