package listen

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"

	"github.com/heplake/heplake/ingest/hep"
)

// HTTPConfig says where and how to receive HEP over HTTP or WebSocket.
type HTTPConfig struct {
	StreamConfig
	// MaxBody bounds a POST's body in bytes, after decompression.
	MaxBody int64
}

// HTTP receives HEP by POST, one or many packets a body, and by WebSocket, one
// packet a message, at any path.
type HTTP struct {
	srv   *http.Server
	ln    *limitListener
	cfg   HTTPConfig
	sinks []Sink
	next  atomic.Uint32
	done  chan struct{}
	// The server does not know of WebSocket connections: stopping tells them to
	// read out what is under way, sockets ends them.
	stopped             atomic.Bool
	stopping, sockets   context.Context
	stop, cutOffSockets context.CancelFunc
}

// ListenHTTP opens the listener. Nothing is accepted before Start.
func ListenHTTP(ctx context.Context, cfg HTTPConfig, sinks []Sink) (*HTTP, error) {
	ln, err := listenTCP(ctx, cfg.StreamConfig)
	if err != nil {
		return nil, err
	}
	h := &HTTP{ln: ln, cfg: cfg, sinks: sinks, done: make(chan struct{})}
	h.stopping, h.stop = context.WithCancel(context.Background())
	h.sockets, h.cutOffSockets = context.WithCancel(context.Background())
	h.srv = &http.Server{
		Handler: h, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, IdleTimeout: cfg.IdleTimeout,
		ErrorLog: slog.NewLogLogger(slog.Default().Handler(), slog.LevelDebug),
	}
	return h, nil
}

// Addr is the address listened on.
func (h *HTTP) Addr() netip.AddrPort { return h.ln.Addr().(*net.TCPAddr).AddrPort() }

// Start begins to accept connections.
func (h *HTTP) Start() {
	go func() {
		defer close(h.done)
		if err := h.srv.Serve(h.ln); !errors.Is(err, http.ErrServerClosed) {
			slog.Error("HEP over HTTP", "error", err)
		}
	}()
}

// Close stops accepting, answers the requests that run, reads what is under way
// on WebSockets, and ends every connection; when it returns no sink is called
// any more.
func (h *HTTP) Close() error {
	h.stopped.Store(true)
	h.stop()
	defer time.AfterFunc(drainTime, h.cutOffSockets).Stop()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	err := h.srv.Shutdown(ctx)
	if err != nil {
		err = h.srv.Close()
	}
	h.ln.wait()
	return err
}

// Stats returns the figures of this moment.
func (h *HTTP) Stats() StreamStats { return h.ln.stats() }

// ServeHTTP takes a POST or a WebSocket handshake.
func (h *HTTP) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	from, _ := netip.ParseAddrPort(r.RemoteAddr)
	from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
	sink := h.sinks[int(h.next.Add(1))%len(h.sinks)]
	switch {
	case strings.EqualFold(r.Header.Get("Upgrade"), "websocket"):
		h.socket(w, r, from, sink)
	case r.Method == http.MethodPost:
		h.post(w, r, from, sink)
	default:
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "HEP goes here by POST or WebSocket", http.StatusMethodNotAllowed)
	}
}

// socket takes one packet a message until the connection ends.
func (h *HTTP) socket(w http.ResponseWriter, r *http.Request, from netip.AddrPort, sink Sink) {
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{
		InsecureSkipVerify: true, // agents, not browsers' pages: there is no origin to check
		// Permessage-deflate (RFC 7692) for agents that ask for it. HEP messages are
		// short and alike: they compress well only if each may lean on the ones before.
		CompressionMode: websocket.CompressionContextTakeover,
	})
	if err != nil {
		return // answered by Accept
	}
	defer func() { _ = conn.CloseNow() }()
	conn.SetReadLimit(MaxDatagram) // of what was inflated, where it is compressed
	// The server's deadlines were for the handshake.
	rc := http.NewResponseController(w)
	_ = rc.SetReadDeadline(time.Time{})
	if h.cfg.Durable {
		sink = &window{Durable: sink.(Durable), stopping: &h.stopped}
	}
	packets := make([]Packet, 1)
	for {
		data, err := h.read(conn)
		if err != nil {
			if fault := socketFault(err); fault != "" {
				packets[0] = Packet{From: from, Fault: fault}
				sink.Packets(time.Now(), packets)
			}
			return
		}
		packets[0] = Packet{Data: data, From: from}
		sink.Packets(time.Now(), packets)
	}
}

// socketFault names what was wrong with a message that ends its connection, ""
// for an end of any other kind.
func socketFault(err error) string {
	switch {
	case errors.Is(err, websocket.ErrMessageTooBig), websocket.CloseStatus(err) == websocket.StatusMessageTooBig:
		return "too_large"
	case errors.As(err, new(flate.CorruptInputError)):
		return "bad_frame"
	}
	return ""
}

// read waits for a message: as long as a connection may be idle, and at the
// stop as long as one that is under way may take.
func (h *HTTP) read(conn *websocket.Conn) ([]byte, error) {
	ctx, cancel := context.WithCancel(h.sockets)
	defer cancel()
	if h.cfg.IdleTimeout > 0 {
		var end context.CancelFunc
		ctx, end = context.WithTimeout(ctx, h.cfg.IdleTimeout)
		defer end()
	}
	defer context.AfterFunc(h.stopping, func() {
		defer cancel()
		select {
		case <-ctx.Done():
		case <-time.After(drainQuiet):
		}
	})()
	_, data, err := conn.Read(ctx)
	return data, err
}

// post takes a body of HEP packets, or of hep-js' JSON form.
func (h *HTTP) post(w http.ResponseWriter, r *http.Request, from netip.AddrPort, sink Sink) {
	body := io.Reader(http.MaxBytesReader(w, r.Body, h.cfg.MaxBody))
	if r.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(body)
		if err != nil {
			http.Error(w, "the body is not gzip: "+err.Error(), http.StatusBadRequest)
			return
		}
		body = io.LimitReader(z, h.cfg.MaxBody+1)
	}
	data, err := io.ReadAll(body)
	switch {
	case int64(len(data)) > h.cfg.MaxBody || errors.As(err, new(*http.MaxBytesError)):
		sink.Packets(time.Now(), []Packet{{From: from, Fault: "too_large"}})
		http.Error(w, fmt.Sprintf("the body is larger than %d bytes", h.cfg.MaxBody), http.StatusRequestEntityTooLarge)
		return
	case err != nil:
		http.Error(w, "the body cannot be read: "+err.Error(), http.StatusBadRequest)
		return
	}
	packets := splitBody(data, from)
	durable, _ := sink.(Durable)
	var mark Mark
	if h.cfg.Durable {
		mark = durable.Mark()
	}
	sink.Packets(time.Now(), packets)
	if h.cfg.Durable {
		if err := durable.Spooled(mark); err != nil {
			http.Error(w, "not kept for sure, send it again later: "+err.Error(), http.StatusServiceUnavailable)
			return
		}
	}
	bad := 0
	for _, p := range packets {
		if p.Fault != "" {
			bad++
		}
	}
	w.Header().Set("Content-Type", "application/json")
	if bad == len(packets) {
		w.WriteHeader(http.StatusBadRequest)
	}
	_ = json.NewEncoder(w).Encode(map[string]int{"received": len(packets) - bad, "bad": bad})
}

// splitBody finds the packets of a body: HEP3 messages one behind the other,
// one message of another version, or JSON. There is always at least one.
func splitBody(data []byte, from netip.AddrPort) []Packet {
	if first := strings.TrimLeft(string(data[:min(len(data), 64)]), " \t\r\n"); first != "" && (first[0] == '{' || first[0] == '[') {
		return splitJSON(data, from)
	}
	if _, err := hep.FrameLength(data); err != nil || len(data) == 0 {
		return []Packet{{Data: data, From: from}} // HEP1, HEP2, protobuf, or for the decoder to say
	}
	var packets []Packet
	for len(data) > 0 {
		n, err := hep.FrameLength(data)
		switch {
		case err != nil:
			n = hep.Resync(data)
			packets = append(packets, Packet{Data: data[:n], From: from, Fault: "bad_frame"})
		case n == 0 || n > len(data):
			n = len(data)
			packets = append(packets, Packet{Data: data, From: from, Fault: "truncated"})
		default:
			packets = append(packets, Packet{Data: data[:n], From: from})
		}
		data = data[n:]
	}
	return packets
}
