//go:build !unix

package fdstore

import (
	"errors"
	"os"
)

// Store is nothing on this system.
type Store struct{}

// FromEnvironment returns nil.
func FromEnvironment() (*Store, error) { return nil, nil }

// Take returns nil.
func (s *Store) Take(string) *os.File { return nil }

// Names returns none.
func (s *Store) Names() []string { return nil }

// Keep does nothing.
func (s *Store) Keep(string, int) error { return errors.ErrUnsupported }

// Remove does nothing.
func (s *Store) Remove(string) error { return errors.ErrUnsupported }
