package main

import (
	"fmt"

	"github.com/heplake/heplake/query"
)

// newStore is the store that the API asks, with the names that the settings give
// to addresses.
func (s *server) newStore() (*lazyStore, []query.Alias, error) {
	aliases, err := query.ParseAliases(s.c.Aliases)
	if err != nil {
		return nil, nil, fmt.Errorf("aliases takes a list of address=name: %w", err)
	}
	return &lazyStore{options: query.Options{URL: s.db.reader, Aliases: aliases}}, aliases, nil
}
