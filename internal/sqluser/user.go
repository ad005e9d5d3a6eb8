package sqluser

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"
)

// User is somebody who may ask in SQL.
type User struct {
	Name string `json:"name"`
	// Tenants are those whose rows are seen; empty is all.
	Tenants []string `json:"tenants,omitempty"`
	// Hosts are the addresses and networks to log in from; empty is any.
	Hosts []string `json:"hosts,omitempty"`
	// Created is when the user was added, Expires when rows are seen no more; the
	// zero time is never.
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires,omitzero"`
	Limits  Limits    `json:"limits"`
}

// Limits bound what a user's queries may take. The user can lower them.
type Limits struct {
	// MaxMemory is what one query, and all of the user's together, may allocate, in
	// bytes.
	MaxMemory uint64 `json:"max_memory"`
	// MaxTime is how long a query may run.
	MaxTime time.Duration `json:"max_time"`
	// MaxRowsToRead and MaxResultRows are rows of one query.
	MaxRowsToRead uint64 `json:"max_rows_to_read"`
	MaxResultRows uint64 `json:"max_result_rows"`
	// MaxQueries run at a time, on MaxThreads threads each.
	MaxQueries uint64 `json:"max_queries"`
	MaxThreads uint64 `json:"max_threads"`
	// QueriesPerHour is how many may be asked in an hour; 0 is any number.
	QueriesPerHour uint64 `json:"queries_per_hour,omitempty"`
}

// DefaultLimits are those of a user for whom none are given.
func DefaultLimits() Limits {
	return Limits{MaxMemory: 2 << 30, MaxTime: time.Minute, MaxRowsToRead: 1_000_000_000, MaxResultRows: 10_000_000, MaxQueries: 4, MaxThreads: 4}
}

// Expired tells whether the user's time is up.
func (u *User) Expired(now time.Time) bool { return !u.Expires.IsZero() && !now.Before(u.Expires) }

// ErrUnknown says that there is no user of that name.
var ErrUnknown = errors.New("no such SQL user")

// ErrExists says that there is one already.
var ErrExists = errors.New("there is an SQL user of that name already")

// reserved are users that ClickHouse or heplake has itself.
var reserved = []string{"default", "owner", "writer", "reader"}

var userName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,47}$`)

// Check says what is wrong with the user, if anything.
func (u *User) Check() error {
	switch {
	case !userName.MatchString(u.Name):
		return fmt.Errorf("SQL user %q: a name is a small letter, then small letters, digits and _, 48 at most", u.Name)
	case slices.Contains(reserved, u.Name):
		return fmt.Errorf("SQL user %q: the name is taken by heplake itself", u.Name)
	case u.Limits.MaxMemory == 0 || u.Limits.MaxTime < time.Millisecond || u.Limits.MaxRowsToRead == 0 || u.Limits.MaxResultRows == 0 || u.Limits.MaxQueries == 0 || u.Limits.MaxThreads == 0:
		// 0 means no limit to ClickHouse.
		return fmt.Errorf("SQL user %q: a limit of 0 is none", u.Name)
	}
	for _, t := range u.Tenants {
		if strings.TrimSpace(t) == "" {
			return fmt.Errorf("SQL user %q: an empty tenant; none at all is every one", u.Name)
		}
	}
	for _, h := range u.Hosts {
		if _, err := netip.ParsePrefix(h); err != nil {
			if _, err := netip.ParseAddr(h); err != nil {
				return fmt.Errorf("SQL user %q: %q is no address and no network", u.Name, h)
			}
		}
	}
	return nil
}

// Store keeps users. Passwords are handed to it as Hash makes of them, and never
// come back.
type Store interface {
	// List has the users by name.
	List(ctx context.Context) ([]User, error)
	// Add adds a user; the error wraps ErrExists.
	Add(ctx context.Context, u User, hash string) error
	// Rotate replaces the password, Remove the user; the errors wrap ErrUnknown.
	Rotate(ctx context.Context, name, hash string) error
	Remove(ctx context.Context, name string) error
}

// NewPassword makes a password of 128 random bits: it needs no salt, and no slow
// hash.
func NewPassword() string { return rand.Text() }

// Hash is the SHA-256 of a password in hexadecimal, the form in which it is kept.
func Hash(password string) string {
	sum := sha256.Sum256([]byte(password))
	return hex.EncodeToString(sum[:])
}
