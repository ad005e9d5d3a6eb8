package listen

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
)

// Store keeps sockets by name while there is no process: fdstore.Store.
type Store interface {
	// Take returns one that was kept, nil when there is none; Names lists those.
	Take(name string) *os.File
	Names() []string
	// Keep and Remove say what is to be kept.
	Keep(name string, fd int) error
	Remove(name string) error
}

// Kept are sockets that outlive the process: what arrives while there is none waits in
// them for the next. A nil Kept keeps nothing.
type Kept struct {
	store Store
	// path is a file that says how many drops of each socket were counted already.
	path string

	mu      sync.Mutex
	counted map[string]uint32 // by socket cookie
}

// NewKept makes it of what the store has. dir is where the process writes how many
// drops it has counted.
func NewKept(store Store, dir string) *Kept {
	k := &Kept{store: store, path: filepath.Join(dir, "sockets.json"), counted: map[string]uint32{}}
	b, err := os.ReadFile(k.path)
	if err == nil {
		err = json.Unmarshal(b, &k.counted)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		slog.Warn("drops of the sockets that were kept may be counted again", "error", err)
	}
	return k
}

const (
	keptUDP    = "heplake-udp-"
	keptStream = "heplake-stream-"
)

// keptName is a name as the service manager takes it.
func keptName(parts ...string) string {
	return strings.NewReplacer(":", ";", "\n", "").Replace(strings.Join(parts, ""))
}

func udpName(addr string, i int) string { return keptName(keptUDP, strconv.Itoa(i), "-", addr) }

// take returns what open makes of the socket that was kept under the name; ok is false
// when there is none that can be used.
func take[T any](k *Kept, name string, open func(*os.File) (T, error)) (socket T, ok bool) {
	if k == nil {
		return socket, false
	}
	f := k.store.Take(name)
	if f == nil {
		return socket, false
	}
	defer func() { _ = f.Close() }()
	socket, err := open(f)
	if err != nil {
		slog.Warn("a socket that was kept cannot be used", "name", name, "error", err)
		k.remove(name)
	}
	return socket, err == nil
}

// fileUDP is the socket of a file as a connection of its own.
func fileUDP(f *os.File) (*net.UDPConn, error) {
	c, err := net.FilePacketConn(f)
	if err != nil {
		return nil, err
	}
	udp, ok := c.(*net.UDPConn)
	if !ok {
		_ = c.Close()
		return nil, errors.New("it is not for UDP")
	}
	return udp, nil
}

// keep has the socket outlive the process; false when it does not.
func (k *Kept) keep(name string, fd int) bool {
	if k == nil {
		return false
	}
	if err := k.store.Keep(name, fd); errors.Is(err, errors.ErrUnsupported) {
		return false
	} else if err != nil {
		slog.Warn("what is sent while heplake restarts will be lost", "error", err)
		return false
	}
	return true
}

// keepListener has a listening socket outlive the process.
func (k *Kept) keepListener(name string, ln net.Listener) {
	tcp, ok := ln.(*net.TCPListener)
	if k == nil || !ok {
		return
	}
	if raw, err := tcp.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { k.keep(name, int(fd)) })
	}
}

// remove has the socket of the name kept no more.
func (k *Kept) remove(name string) {
	if err := k.store.Remove(name); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		slog.Warn("a socket is kept that nobody needs", "name", name, "error", err)
	}
}

// takeUDP lists the kept sockets for datagrams that nobody has taken, and keeps them
// no more.
func (k *Kept) takeUDP() (out []*net.UDPConn) {
	if k == nil {
		return nil
	}
	for _, name := range k.store.Names() {
		if strings.HasPrefix(name, keptUDP) {
			if c, ok := take(k, name, fileUDP); ok {
				out = append(out, c)
				k.remove(name)
			}
		}
	}
	return out
}

// Rest closes what was kept and nobody has taken: settings are not what they were.
func (k *Kept) Rest() {
	if k == nil {
		return
	}
	for _, name := range k.store.Names() {
		if !strings.HasPrefix(name, keptUDP) && !strings.HasPrefix(name, keptStream) {
			continue // not ours
		}
		if f := k.store.Take(name); f != nil {
			k.remove(name)
			_ = f.Close()
		}
	}
}

// dropsCounted is how many drops of the socket were counted by those who had it before.
func (k *Kept) dropsCounted(cookie string) uint32 {
	if k == nil {
		return 0
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.counted[cookie]
}

// count notes how many drops of these sockets, and no others, were counted.
func (k *Kept) count(counted map[string]uint32) error {
	if k == nil {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.counted = counted
	b, err := json.Marshal(counted)
	if err != nil {
		return err
	}
	if err := os.WriteFile(k.path+".new", b, 0o600); err != nil {
		return fmt.Errorf("note the drops that were counted: %w", err)
	}
	return os.Rename(k.path+".new", k.path)
}
