package plugin

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/backend/instancemgmt"
	"github.com/grafana/grafana-plugin-sdk-go/backend/resource/httpadapter"
	"golang.org/x/sync/singleflight"

	"github.com/heplake/heplake/query"
)

// Datasource is one configured data source. Grafana makes a new one when its
// settings change, and disposes of the old one.
type Datasource struct {
	backend.CallResourceHandler

	uid, name string
	settings  settings
	// problem is what is wrong with the settings. The instance is made all the
	// same: a health check can then say so, which a failed creation cannot.
	problem error
	aliases aliasList

	opening singleflight.Group
	mu      sync.Mutex
	lake    *lake // nil until ClickHouse has answered once
	closed  bool
}

var (
	_ backend.QueryDataHandler      = (*Datasource)(nil)
	_ backend.CheckHealthHandler    = (*Datasource)(nil)
	_ backend.CallResourceHandler   = (*Datasource)(nil)
	_ instancemgmt.InstanceDisposer = (*Datasource)(nil)
)

// New makes a data source from its settings. It connects to nothing: ClickHouse
// may be down now and up later. It is the factory for datasource.Manage.
func New(_ context.Context, in backend.DataSourceInstanceSettings) (instancemgmt.Instance, error) {
	d := &Datasource{uid: in.UID, name: in.Name}
	d.settings, d.problem = readSettings(in)
	d.aliases.own, d.aliases.api = d.settings.aliases, d.settings.API
	d.CallResourceHandler = httpadapter.New(d.routes())
	return d, nil
}

// Dispose closes the connections. Queries under way fail.
func (d *Datasource) Dispose() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	if d.lake != nil {
		_ = d.lake.Close()
		d.lake = nil
	}
}

// lake is an open connection, and what its user may do.
type lake struct {
	*query.Store
	// settings go with every query: those among wanted that the user may set.
	settings clickhouse.Settings
	// mayCut says that a result may be cut instead of refused when it is too long.
	mayCut bool
	// readonly is the user's own value of that setting: 0 may write.
	readonly string
}

// openTimeout bounds the first contact with ClickHouse.
const openTimeout = 10 * time.Second

// errClosed is what a query gets that comes after the data source was changed.
var errClosed = errors.New("the data source was changed or removed meanwhile")

// open returns the connection, made by the first who asks. A failure is not
// kept: the next request tries again.
func (d *Datasource) open(ctx context.Context) (*lake, error) {
	if d.problem != nil {
		return nil, &settingsError{d.problem}
	}
	d.mu.Lock()
	l, closed := d.lake, d.closed
	d.mu.Unlock()
	switch {
	case closed:
		return nil, errClosed
	case l != nil:
		return l, nil
	}
	// Whoever waits shares the attempt; it must not end with the first's request.
	result := d.opening.DoChan("", func() (any, error) {
		// A timer, no deadline: see audit.
		ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
		defer cancel()
		defer time.AfterFunc(openTimeout, cancel).Stop()
		l, err := d.connect(ctx)
		if err != nil && ctx.Err() != nil {
			err = &connectError{fmt.Errorf("no answer within %s: %w", openTimeout, err)}
		}
		return l, err
	})
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case r := <-result:
		if r.Err != nil {
			return nil, r.Err
		}
		return r.Val.(*lake), nil
	}
}

func (d *Datasource) connect(ctx context.Context) (*lake, error) {
	options, err := d.settings.options()
	if err != nil {
		return nil, &settingsError{err}
	}
	options.AliasesNow = d.aliases.names
	store, err := query.Open(ctx, options)
	if err != nil {
		return nil, &connectError{err}
	}
	l := &lake{Store: store}
	if err := l.readProfile(ctx); err != nil {
		_ = store.Close()
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		_ = store.Close()
		return nil, errClosed
	}
	d.lake = l
	return l, nil
}

// wanted are the settings of every query, if the user's profile allows them.
var wanted = clickhouse.Settings{
	// A panel that is left must not keep the server busy.
	"cancel_http_readonly_queries_on_client_close": 1,
	// A user who may write must not be able to from here. With readonly = 1 no
	// other setting could go with the query.
	"readonly": 2,
	// Set for each query: see audit.
	"log_comment": "",
}

// readProfile finds which of the wanted settings the user may set.
func (l *lake) readProfile(ctx context.Context) error {
	rows, err := l.Conn().Query(ctx, "SELECT name, value, readonly FROM system.settings WHERE name IN ('readonly', 'log_comment', 'cancel_http_readonly_queries_on_client_close', 'result_overflow_mode')")
	if err != nil {
		return fmt.Errorf("read the user's settings: %w", err)
	}
	defer func() { _ = rows.Close() }()
	l.settings = clickhouse.Settings{}
	for rows.Next() {
		var name, value string
		var fixed uint8
		if err := rows.Scan(&name, &value, &fixed); err != nil {
			return fmt.Errorf("read the user's settings: %w", err)
		}
		switch {
		case name == "readonly":
			l.readonly = value
			if value == "0" { // else ClickHouse refuses to hear it again
				l.settings[name] = wanted[name]
			}
		case fixed != 0:
		case name == "result_overflow_mode":
			l.mayCut = true
		default:
			l.settings[name] = wanted[name]
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read the user's settings: %w", err)
	}
	return nil
}

// connectError is an error of the first contact with ClickHouse: what cannot be
// told otherwise is somebody who is no ClickHouse.
type connectError struct{ err error }

func (e *connectError) Error() string { return e.err.Error() }
func (e *connectError) Unwrap() error { return e.err }

// settingsError is an error in what the data source's page says.
type settingsError struct{ err error }

func (e *settingsError) Error() string { return e.err.Error() }
func (e *settingsError) Unwrap() error { return e.err }
