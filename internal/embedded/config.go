package embedded

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// Database is the database heplake keeps its tables in. The migration creates
// it; [Start] does not.
const Database = "heplake"

// Config says where the engine keeps its data and what it may use. The zero
// value of every field but Dir is usable.
type Config struct {
	// Dir holds everything the engine writes. It is created with mode 0700.
	// Required.
	Dir string

	// HTTP and TCP are the addresses (host:port) of the HTTP and the native
	// protocol. Both must name the same host. Empty means 127.0.0.1:0. Port 0
	// takes a free port, which then stays the same for the life of the Server.
	HTTP, TCP string

	// Library is the path of libchdb. Empty means to look for it: see
	// [FindLibrary].
	Library string

	// MemoryLimit bounds the engine's memory in bytes. 0 means half of what
	// the machine, or the cgroup if that is less, has.
	MemoryLimit int64

	// Niceness lowers the engine's priority, as nice(1) does: 1 to 19. 0 leaves it
	// as it is.
	Niceness int

	// Access, if set, says before each execution of the child which users there are
	// besides the three. The engine has no access storage that CREATE USER could
	// write to, and reads its users at the start alone: when AccessFile, on which
	// they depend, has changed, the child is stopped cleanly and executed anew.
	Access     func() (Access, error)
	AccessFile string

	// Cold is a second disk, for a storage policy [Policy] with the engine's own
	// disk as its first volume. The zero value is none, and there is no such policy.
	// Tables that have it need it at every start.
	Cold ColdDisk

	// LogDir receives ClickHouse's logs. Empty means Dir/logs.
	LogDir string

	// LogLevel is ClickHouse's: none, fatal, critical, error, warning, notice,
	// information, debug, trace. Empty means information.
	LogLevel string

	// ExtraConfig is XML put as it is into <clickhouse> of config.xml, such as
	// <remote_servers> or <macros>. It comes from code, never from a user.
	ExtraConfig string

	// StartTimeout bounds the time from execution of the child to its first
	// answer; a large data directory takes longer to load. 0 means 2 minutes.
	StartTimeout time.Duration

	// StopTimeout is how long a clean shutdown may take before the child is
	// terminated, and after a further tenth of it killed. 0 means 30 s.
	StopTimeout time.Duration

	// Logger receives starts, crashes and restarts. nil means slog.Default().
	Logger *slog.Logger

	// OnCrash, if set, is called after each end of the child that nobody asked
	// for, before the restart. It must not call Stop.
	OnCrash func(err error)
}

// Access is XML put as it is into <profiles>, <quotas> and <users> of users.xml. It
// comes from code, never from a user.
type Access struct{ Profiles, Quotas, Users string }

const (
	defaultStartTimeout = 2 * time.Minute
	defaultStopTimeout  = 30 * time.Second
)

// withDefaults returns c complete: absolute paths, addresses with a port
// (possibly 0), time-outs. The library is looked up later.
func (c Config) withDefaults() (Config, error) {
	if c.Dir == "" {
		return c, errors.New("embedded clickhouse: no data directory given")
	}
	var err error
	if c.Dir, err = filepath.Abs(c.Dir); err != nil {
		return c, fmt.Errorf("embedded clickhouse: data directory: %w", err)
	}
	if c.LogDir == "" {
		c.LogDir = filepath.Join(c.Dir, "logs")
	}
	if c.LogDir, err = filepath.Abs(c.LogDir); err != nil {
		return c, fmt.Errorf("embedded clickhouse: log directory: %w", err)
	}
	if c.LogLevel == "" {
		c.LogLevel = "information"
	}
	if c.MemoryLimit < 0 {
		return c, fmt.Errorf("embedded clickhouse: memory limit %d is negative", c.MemoryLimit)
	}
	if c.Cold.Path != "" && c.Cold.URL != "" {
		return c, errors.New("embedded clickhouse: the cold disk is a folder or a bucket, not both")
	}
	if c.Cold.Path != "" {
		if c.Cold.Path, err = filepath.Abs(c.Cold.Path); err != nil {
			return c, fmt.Errorf("embedded clickhouse: cold disk: %w", err)
		}
	}
	if c.StartTimeout <= 0 {
		c.StartTimeout = defaultStartTimeout
	}
	if c.StopTimeout <= 0 {
		c.StopTimeout = defaultStopTimeout
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c, nil
}

// addresses is where the engine listens: one host, two ports.
type addresses struct {
	host      string
	http, tcp int // 0 until chosen
}

// parseAddresses reads the two settings. An empty host (":8123") means every
// IPv4 interface, as in Go; an empty address means loopback with a free port.
func parseAddresses(httpAddr, tcpAddr string) (addresses, error) {
	httpHost, httpPort, err := splitAddr(httpAddr)
	if err != nil {
		return addresses{}, fmt.Errorf("embedded clickhouse: http address %q: %w", httpAddr, err)
	}
	tcpHost, tcpPort, err := splitAddr(tcpAddr)
	if err != nil {
		return addresses{}, fmt.Errorf("embedded clickhouse: tcp address %q: %w", tcpAddr, err)
	}
	if httpHost != tcpHost {
		return addresses{}, fmt.Errorf("embedded clickhouse: http address %q and tcp address %q must name the same host", httpAddr, tcpAddr)
	}
	if httpPort != 0 && httpPort == tcpPort {
		return addresses{}, fmt.Errorf("embedded clickhouse: http and tcp cannot share port %d", httpPort)
	}
	return addresses{host: httpHost, http: httpPort, tcp: tcpPort}, nil
}

func splitAddr(addr string) (host string, port int, err error) {
	if addr == "" {
		return "127.0.0.1", 0, nil
	}
	host, p, err := net.SplitHostPort(addr)
	if err != nil {
		return "", 0, err
	}
	n, err := strconv.ParseUint(p, 10, 16)
	if err != nil {
		return "", 0, fmt.Errorf("port %q is not a number from 0 to 65535", p)
	}
	if host == "" {
		host = "0.0.0.0"
	}
	return host, int(n), nil
}

// choose fills in the ports that are 0 and reports an address in use for those
// that are not. The listeners are closed again before the engine opens its own,
// so a chosen port can still be lost to somebody else: the caller tries again.
func (a addresses) choose() (addresses, error) {
	h, err := net.Listen("tcp", net.JoinHostPort(a.host, strconv.Itoa(a.http)))
	if err != nil {
		return a, fmt.Errorf("embedded clickhouse: http: %w", err)
	}
	defer func() { _ = h.Close() }()
	t, err := net.Listen("tcp", net.JoinHostPort(a.host, strconv.Itoa(a.tcp)))
	if err != nil {
		return a, fmt.Errorf("embedded clickhouse: tcp: %w", err)
	}
	defer func() { _ = t.Close() }()
	a.http = h.Addr().(*net.TCPAddr).Port
	a.tcp = t.Addr().(*net.TCPAddr).Port
	return a, nil
}

func (a addresses) httpAddr() string { return net.JoinHostPort(a.host, strconv.Itoa(a.http)) }
func (a addresses) tcpAddr() string  { return net.JoinHostPort(a.host, strconv.Itoa(a.tcp)) }

// dialHost is the host a client on this machine uses.
func (a addresses) dialHost() string {
	ip := net.ParseIP(a.host)
	switch {
	case ip == nil || !ip.IsUnspecified():
		return a.host
	case ip.To4() != nil:
		return "127.0.0.1"
	default:
		return "::1"
	}
}

// configPath, usersPath, dataDir and stderrPath name the files below Dir.
func (c Config) configPath() string { return filepath.Join(c.Dir, "config.xml") }
func (c Config) usersPath() string  { return filepath.Join(c.Dir, "users.xml") }
func (c Config) dataDir() string    { return filepath.Join(c.Dir, "data") }
func (c Config) stderrPath() string { return filepath.Join(c.LogDir, "engine.log") }
func (c Config) errlogPath() string { return filepath.Join(c.LogDir, "clickhouse.err.log") }

// makeDirs creates the directories. Signalling is personal data: nobody but
// the user heplake runs as may look into them.
func (c Config) makeDirs() error {
	dirs := []string{c.Dir, c.dataDir(), c.LogDir}
	if c.Cold.Path != "" {
		dirs = append(dirs, c.Cold.Path)
	}
	for _, d := range dirs {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return fmt.Errorf("embedded clickhouse: %w", err)
		}
	}
	return nil
}
