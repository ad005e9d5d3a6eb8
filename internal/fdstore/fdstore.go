//go:build unix

package fdstore

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// firstFD is the number of the first descriptor that is passed (sd_listen_fds(3)).
const firstFD = 3

// Store is what the service manager keeps. A nil Store keeps nothing and has nothing.
type Store struct {
	notify string

	mu    sync.Mutex
	files []kept
}

type kept struct {
	name string
	file *os.File
}

// FromEnvironment takes over what the service manager passed to this process, and
// removes what says so from the environment, as children are given nothing. It
// returns nil without a service manager. It is called once, before there are children.
func FromEnvironment() (*Store, error) {
	s := &Store{}
	// Some have the socket and keep nothing. systemd says FDSTORE since version 254,
	// deploy/systemd/heplake.service before.
	if most := os.Getenv("FDSTORE"); most != "" && most != "0" {
		s.notify = os.Getenv("NOTIFY_SOCKET")
	}
	pid, count, names := os.Getenv("LISTEN_PID"), os.Getenv("LISTEN_FDS"), os.Getenv("LISTEN_FDNAMES")
	for _, name := range []string{"NOTIFY_SOCKET", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID", "FDSTORE"} {
		if err := os.Unsetenv(name); err != nil {
			return nil, err
		}
	}
	if pid == strconv.Itoa(os.Getpid()) {
		n, err := strconv.Atoi(count)
		if err != nil || n < 0 {
			return nil, fmt.Errorf("LISTEN_FDS is %q: want a number of descriptors", count)
		}
		list := strings.Split(names, ":")
		for i := range n {
			name := "unknown"
			if i < len(list) {
				name = list[i]
			}
			syscall.CloseOnExec(firstFD + i)
			s.files = append(s.files, kept{name, os.NewFile(uintptr(firstFD+i), name)})
		}
	}
	if s.notify == "" && len(s.files) == 0 {
		return nil, nil
	}
	return s, nil
}

// Take returns a socket that was kept under the name, nil when there is none. It is the
// caller's; the service manager keeps it nevertheless until Remove.
func (s *Store) Take(name string) *os.File {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, k := range s.files {
		if k.name == name {
			s.files = slices.Delete(s.files, i, i+1)
			return k.file
		}
	}
	return nil
}

// Names lists what was passed and not taken yet, in order.
func (s *Store) Names() []string {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]string, len(s.files))
	for i, k := range s.files {
		out[i] = k.name
	}
	slices.SortFunc(out, func(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b)) })
	return out
}

// Keep has the service manager keep the socket under the name, which has no colon and
// no control characters. It stays open there when this process ends. It may be kept
// already. The error is errors.ErrUnsupported where nothing is kept.
func (s *Store) Keep(name string, fd int) error {
	// FDPOLL: it stays, whatever state it is in.
	return s.tell("FDSTORE=1\nFDPOLL=0\nFDNAME="+name, syscall.UnixRights(fd))
}

// Remove has the service manager close what it keeps under the name.
func (s *Store) Remove(name string) error { return s.tell("FDSTOREREMOVE=1\nFDNAME="+name, nil) }

// tell sends a message as sd_notify(3) does.
func (s *Store) tell(state string, rights []byte) error {
	if s == nil || s.notify == "" {
		return errors.ErrUnsupported
	}
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_DGRAM, 0)
	if err != nil {
		return fmt.Errorf("speak to the service manager: %w", err)
	}
	syscall.CloseOnExec(fd)
	// A name that begins with @ is no file's.
	err = syscall.Sendmsg(fd, []byte(state), rights, &syscall.SockaddrUnix{Name: s.notify}, 0)
	if err := errors.Join(err, syscall.Close(fd)); err != nil {
		return fmt.Errorf("speak to the service manager: %w", err)
	}
	return nil
}
