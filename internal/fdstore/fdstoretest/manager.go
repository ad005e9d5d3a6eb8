// Package fdstoretest is as much of a service manager as package fdstore speaks to.
package fdstoretest

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// Manager keeps what processes give it, and passes it to those that it prepares.
type Manager struct {
	path string
	conn *net.UnixConn
	done chan struct{}

	mu    sync.Mutex
	files []*os.File
}

// New listens on a socket in the folder.
func New(dir string) (*Manager, error) {
	m := &Manager{path: filepath.Join(dir, "notify"), done: make(chan struct{})}
	var err error
	if m.conn, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: m.path, Net: "unixgram"}); err != nil {
		return nil, err
	}
	go m.receive()
	return m, nil
}

// Close closes everything.
func (m *Manager) Close() error {
	err := m.conn.Close()
	<-m.done
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, f := range m.files {
		_ = f.Close()
	}
	return err
}

func (m *Manager) receive() {
	defer close(m.done)
	text, rights := make([]byte, 4096), make([]byte, syscall.CmsgSpace(4*16))
	for {
		n, rn, _, _, err := m.conn.ReadMsgUnix(text, rights)
		if err != nil {
			return
		}
		said := map[string]string{}
		for line := range strings.SplitSeq(string(text[:n]), "\n") {
			key, value, _ := strings.Cut(line, "=")
			said[key] = value
		}
		var fds []int
		if messages, err := syscall.ParseSocketControlMessage(rights[:rn]); err == nil {
			for i := range messages {
				if list, err := syscall.ParseUnixRights(&messages[i]); err == nil {
					fds = append(fds, list...)
				}
			}
		}
		m.keep(said, fds)
	}
}

func (m *Manager) keep(said map[string]string, fds []int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	name := said["FDNAME"]
	if said["FDSTOREREMOVE"] == "1" {
		var rest []*os.File
		for _, f := range m.files {
			if f.Name() == name {
				_ = f.Close()
				continue
			}
			rest = append(rest, f)
		}
		m.files = rest
	}
	for _, fd := range fds {
		syscall.CloseOnExec(fd)
		f := os.NewFile(uintptr(fd), name)
		if said["FDSTORE"] == "1" && !slices.ContainsFunc(m.files, func(f *os.File) bool { return f.Name() == name }) {
			m.files = append(m.files, f)
			continue
		}
		_ = f.Close()
	}
}

// Names lists what is kept.
func (m *Manager) Names() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []string
	for _, f := range m.files {
		out = append(out, f.Name())
	}
	return out
}

// Command is exec.Command for a process that gets what is kept. The caller sets the
// environment with Env.
func (m *Manager) Command(binary string, args ...string) *exec.Cmd {
	// The process's own number has to be in its environment.
	cmd := exec.Command("/bin/sh", append([]string{"-c", `LISTEN_PID=$$ exec "$0" "$@"`, binary}, args...)...)
	m.mu.Lock()
	defer m.mu.Unlock()
	cmd.ExtraFiles = append(cmd.ExtraFiles, m.files...)
	return cmd
}

// Env is what the environment of the process says of it.
func (m *Manager) Env() []string {
	names := m.Names()
	return []string{"FDSTORE=128", "NOTIFY_SOCKET=" + m.path, "LISTEN_FDS=" + strconv.Itoa(len(names)), "LISTEN_FDNAMES=" + strings.Join(names, ":")}
}
