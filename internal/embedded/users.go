package embedded

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
)

// User names one of the engine's users.
type User string

const (
	// Owner may do everything. Migrations and metrics use it.
	Owner User = "owner"
	// Writer may insert into and select from heplake's databases, and read
	// the system tables on parts and disks.
	Writer User = "writer"
	// Reader may select from heplake's databases. Its profile has
	// readonly = 2: a query may carry settings, which clickhouse-go needs (it
	// turns a context's deadline into max_execution_time, and compression into
	// settings), but the limits can only be lowered.
	Reader User = "reader"
	// Exporter may read what Reader may, for longer and without a bound on the
	// result: what it reads is streamed to files.
	Exporter User = "exporter"
)

// Users lists the users, the mightiest first.
func Users() []User { return []User{Owner, Writer, Exporter, Reader} }

// credentials are the passwords by user.
type credentials map[User]string

// loadCredentials reads dir/credentials.json and makes passwords for users that
// have none, so that a password stays the same over restarts.
func loadCredentials(dir string) (credentials, error) {
	path := filepath.Join(dir, "credentials.json")
	c := credentials{}
	b, err := os.ReadFile(path)
	switch {
	case err == nil:
		if err := json.Unmarshal(b, &c); err != nil {
			return nil, fmt.Errorf("embedded clickhouse: %s: %w", path, err)
		}
	case !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("embedded clickhouse: %w", err)
	}
	missing := false
	for _, u := range Users() {
		if c[u] == "" {
			c[u] = rand.Text()
			missing = true
		}
	}
	if missing {
		b, err := json.MarshalIndent(c, "", "  ")
		if err != nil {
			return nil, fmt.Errorf("embedded clickhouse: %w", err)
		}
		if err := writeFile(path, append(b, '\n')); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// sha256Hex is the form users.xml holds a password in.
func (c credentials) sha256Hex(u User) string {
	sum := sha256.Sum256([]byte(c[u]))
	return hex.EncodeToString(sum[:])
}

// writeFile replaces a file in one step, with mode 0600.
func writeFile(path string, b []byte) error {
	tmp := path + ".new"
	if err := os.WriteFile(tmp, b, 0o600); err != nil {
		return fmt.Errorf("embedded clickhouse: %w", err)
	}
	if err := os.Rename(tmp, path); err != nil {
		return fmt.Errorf("embedded clickhouse: %w", err)
	}
	return nil
}

// URL is the HTTP address for a user with password and [Database], in the form
// of the setting clickhouse.url, for a client on this machine.
func (s *Server) URL(u User) string { return s.url("http", u, s.addr.http) }

// NativeURL is the same for the native protocol, with the scheme clickhouse.
func (s *Server) NativeURL(u User) string { return s.url("clickhouse", u, s.addr.tcp) }

// Password returns a user's password.
func (s *Server) Password(u User) string { return s.creds[u] }

func (s *Server) url(scheme string, u User, port int) string {
	return (&url.URL{
		Scheme: scheme,
		User:   url.UserPassword(string(u), s.creds[u]),
		Host:   net.JoinHostPort(s.addr.dialHost(), strconv.Itoa(port)),
		Path:   "/" + Database,
	}).String()
}
