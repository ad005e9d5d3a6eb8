package main

import (
	"context"
	"sync"

	"github.com/heplake/heplake/query"
)

// lazyStore is an api.Store that connects when it is first asked, and tries
// again when asked after a failure: the API starts, and says what is wrong,
// while ClickHouse is still away.
type lazyStore struct {
	options query.Options

	mu    sync.Mutex
	store *query.Store
}

func (l *lazyStore) open(ctx context.Context) (*query.Store, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.store == nil {
		store, err := query.Open(ctx, l.options)
		if err != nil {
			return nil, err
		}
		l.store = store
	}
	return l.store, nil
}

// Close closes the connection, if there is one.
func (l *lazyStore) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.store == nil {
		return nil
	}
	return l.store.Close()
}

// Calls implements api.Store.
func (l *lazyStore) Calls(ctx context.Context, r query.CallsRequest) (query.CallsResult, error) {
	s, err := l.open(ctx)
	if err != nil {
		return query.CallsResult{}, err
	}
	return s.Calls(ctx, r)
}

// Messages implements api.Store.
func (l *lazyStore) Messages(ctx context.Context, r query.MessagesRequest) (query.MessagesResult, error) {
	s, err := l.open(ctx)
	if err != nil {
		return query.MessagesResult{}, err
	}
	return s.Messages(ctx, r)
}

// Flow implements api.Store.
func (l *lazyStore) Flow(ctx context.Context, r query.FlowRequest) (*query.Flow, error) {
	s, err := l.open(ctx)
	if err != nil {
		return nil, err
	}
	return s.Flow(ctx, r)
}

// Quality implements api.Store.
func (l *lazyStore) Quality(ctx context.Context, r query.QualityRequest) (*query.Quality, error) {
	s, err := l.open(ctx)
	if err != nil {
		return nil, err
	}
	return s.Quality(ctx, r)
}

// Series implements api.Store.
func (l *lazyStore) Series(ctx context.Context, r query.SeriesRequest) (query.SeriesResult, error) {
	s, err := l.open(ctx)
	if err != nil {
		return query.SeriesResult{}, err
	}
	return s.Series(ctx, r)
}

// Ping implements api.Store.
func (l *lazyStore) Ping(ctx context.Context) error {
	s, err := l.open(ctx)
	if err != nil {
		return err
	}
	return s.Ping(ctx)
}
