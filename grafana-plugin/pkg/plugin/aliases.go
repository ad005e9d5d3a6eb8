package plugin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/heplake/heplake/query"
)

const (
	// aliasesFor is how long the names that the API gave are good for.
	aliasesFor = time.Minute
	// aliasesTimeout bounds the question; a ladder waits for the first answer.
	aliasesTimeout = 3 * time.Second
	// maxAliases bounds the answer, in bytes.
	maxAliases = 4 << 20
)

// aliasList is the names of addresses: those of the settings, and of heplake's
// API where the settings name one. Those of the settings come first: they are the
// names of addresses that both name. The zero value has none.
type aliasList struct {
	own []query.Alias
	api string // "" for none

	mu    sync.Mutex
	all   []query.Alias
	asked time.Time
	err   error
}

// names are the names of this moment. Where the API does not answer they are those
// that it gave last: a name more or less fails no query.
func (a *aliasList) names(ctx context.Context) []query.Alias {
	list, _ := a.ask(ctx, aliasesFor)
	return list
}

// ask asks the API, unless it was asked not longer ago than that.
func (a *aliasList) ask(ctx context.Context, fresh time.Duration) ([]query.Alias, error) {
	if a.api == "" {
		return a.own, nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.asked.IsZero() && time.Since(a.asked) < fresh {
		return a.all, a.err
	}
	// The question is everybody's who waits for it, not only the first one's.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), aliasesTimeout)
	defer cancel()
	list, err := fetchAliases(ctx, a.api)
	a.asked, a.err = time.Now(), err
	switch {
	case err == nil:
		a.all = a.with(list)
	case a.all == nil:
		a.all = a.own
	}
	return a.all, a.err
}

// with adds the names of addresses that have none.
func (a *aliasList) with(list []query.Alias) []query.Alias {
	type address struct {
		prefix netip.Prefix
		port   uint16
	}
	named := map[address]bool{}
	out := make([]query.Alias, 0, len(a.own)+len(list))
	for _, one := range a.own {
		named[address{one.Prefix, one.Port}] = true
		out = append(out, one)
	}
	for _, one := range list {
		if !named[address{one.Prefix, one.Port}] {
			out = append(out, one)
		}
	}
	return out
}

// fetchAliases reads the names from heplake's API. Errors never quote the address,
// which may hold a password.
func fetchAliases(ctx context.Context, api string) ([]query.Alias, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(api, "/")+"/api/v3/alias", nil)
	if err != nil {
		return nil, errors.New("the address of heplake's API cannot be read")
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		if quoting := (*url.Error)(nil); errors.As(err, &quoting) {
			err = quoting.Err
		}
		return nil, fmt.Errorf("heplake's API: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode/100 != 2 {
		return nil, fmt.Errorf("heplake's API answers %s", res.Status)
	}
	var answer struct {
		Data []struct {
			Alias string `json:"alias"`
			IP    string `json:"ip"`
			Port  uint16 `json:"port"`
			Mask  int    `json:"mask"`
		} `json:"data"`
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, maxAliases)).Decode(&answer); err != nil {
		return nil, fmt.Errorf("heplake's API: its names cannot be read: %w", err)
	}
	var out []query.Alias
	for _, row := range answer.Data {
		ip, err := netip.ParseAddr(row.IP)
		if err != nil {
			return nil, fmt.Errorf("heplake's API: the name %q: %w", row.Alias, err)
		}
		prefix, err := ip.Prefix(row.Mask)
		if err != nil {
			return nil, fmt.Errorf("heplake's API: the name %q: %w", row.Alias, err)
		}
		out = append(out, query.Alias{Prefix: prefix, Port: row.Port, Name: row.Alias})
	}
	return out, nil
}

// checkAPI says what is wrong with the address of heplake's API.
func checkAPI(api string) error {
	if api == "" {
		return nil
	}
	u, err := url.Parse(api)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return errors.New("the address of heplake's API is not one like http://heplake:9080")
	}
	return nil
}
