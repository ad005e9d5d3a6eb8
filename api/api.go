package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/klauspost/compress/gzhttp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/heplake/heplake/query"
)

// Store answers the questions; *query.Store is one. Its methods are called by
// many goroutines at once and must end when the context does.
type Store interface {
	Calls(ctx context.Context, r query.CallsRequest) (query.CallsResult, error)
	Messages(ctx context.Context, r query.MessagesRequest) (query.MessagesResult, error)
	Flow(ctx context.Context, r query.FlowRequest) (*query.Flow, error)
	Quality(ctx context.Context, r query.QualityRequest) (*query.Quality, error)
	Series(ctx context.Context, r query.SeriesRequest) (query.SeriesResult, error)
	Ping(ctx context.Context) error
}

// Config is what the API needs.
type Config struct {
	Store Store
	// Aliases are the names of addresses, for clients that ask for them; Store draws
	// with those it was opened with.
	Aliases []query.Alias
	// Registerer takes the metrics; nil leaves them unregistered.
	Registerer prometheus.Registerer
	// Ready is what /readyz asks: nil when everything is in place, else an error
	// that says what is not. Without it the question is whether Store.Ping works.
	Ready func(context.Context) error
	// Log takes errors, and at debug level every request; slog.Default when nil.
	Log *slog.Logger
	// Timeout bounds a request from its first byte to the last of its answer;
	// 55 s when 0, so that clients that wait a minute get to hear of it.
	Timeout time.Duration
	// Rows is where GET /api/v1/rows gets its rows of; without it there is no such
	// route.
	Rows *Rows
	// NoExport are the tenants of whose calls and rows no exports are made.
	NoExport []string
	// MaxQueries is how many questions the store is asked at the same time; 16
	// when 0. Further ones wait a little, then get 503.
	MaxQueries int
}

// The bounds of a request.
const (
	defaultTimeout    = 55 * time.Second
	defaultMaxQueries = 16
	// maxBody is the largest request body.
	maxBody = 1 << 20
	// bodyTime is how long a client may take to send it.
	bodyTime = 15 * time.Second
	// queueTime is how long a question waits for its turn.
	queueTime = 5 * time.Second
	// readyTime bounds a readiness check.
	readyTime = 5 * time.Second
	// compressFrom is the size from which answers are compressed.
	compressFrom = 2 << 10
)

// server is the API's handlers and what they share.
type server struct {
	store   Store
	aliases []query.Alias
	rows    *Rows
	// noExport are the tenants of Config.NoExport.
	noExport []string
	ready    func(context.Context) error
	log      *slog.Logger
	metrics  *metrics
	timeout  time.Duration
	// turns has room for each question that may be asked at a time; queue is how
	// long one waits for it.
	turns chan struct{}
	queue time.Duration
	// rowTurns is turns for streams of rows, which take long.
	rowTurns chan struct{}
	mux      *http.ServeMux
	// routed is mux behind compression.
	routed http.Handler
	pages  pages
}

// New makes the API's handler. The error is that of registering the metrics.
func New(c Config) (http.Handler, error) {
	if c.Store == nil {
		return nil, errors.New("api: no store")
	}
	s := &server{store: c.Store, aliases: c.Aliases, rows: c.Rows.withDefaults(), noExport: c.NoExport, ready: c.Ready, log: c.Log, timeout: c.Timeout, queue: queueTime, mux: http.NewServeMux()}
	if s.ready == nil {
		s.ready = c.Store.Ping
	}
	if s.log == nil {
		s.log = slog.Default()
	}
	if s.timeout == 0 {
		s.timeout = defaultTimeout
	}
	if c.MaxQueries == 0 {
		c.MaxQueries = defaultMaxQueries
	}
	s.turns = make(chan struct{}, c.MaxQueries)
	s.rowTurns = make(chan struct{}, s.rows.AtOnce)
	s.metrics = newMetrics()
	if c.Registerer != nil {
		if err := c.Registerer.Register(s.metrics); err != nil {
			return nil, err
		}
	}
	for _, r := range s.routes() {
		s.mux.HandleFunc(r.method+" "+r.pattern, s.handle(r.do))
	}
	var err error
	if s.pages, err = newPages(s.routes()); err != nil {
		return nil, err
	}
	compress, err := gzhttp.NewWrapper(gzhttp.MinSize(compressFrom))
	if err != nil {
		return nil, err
	}
	s.routed = compress(s.mux)
	return s, nil
}

// route is one entry of the API.
type route struct {
	method, pattern string
	// doc says in one line what it is for; the page at / and the OpenAPI document
	// have it.
	doc string
	do  func(w http.ResponseWriter, r *http.Request) error
}

// routes lists every route. {callid...} takes the rest of the path, because
// Call-IDs may hold slashes that clients did not escape.
func (s *server) routes() []route {
	return []route{
		{"GET", "/{$}", "This page.", s.index},
		{"GET", "/healthz", "Whether the process is alive.", s.healthz},
		{"GET", "/readyz", "Whether it can answer: schema in place, ClickHouse reachable.", s.readyz},
		{"GET", "/api/openapi.json", "This API as an OpenAPI 3.1 document.", s.openapi},
		{"GET", "/api/v1/calls", "Search calls by an expression, newest first.", s.calls},
		{"GET", "/api/v1/messages", "Search single messages by an expression, newest first, page by page.", s.messages},
		{"GET", "/api/v1/flow/{callid...}", "The ladder of a call, all its legs; .svg or .txt behind the Call-ID draws it.", s.flow},
		{"GET", "/api/v1/quality/{callid...}", "What was reported of a call's media, by stream.", s.quality},
		{"GET", "/api/v1/export", "All calls that a search finds in one file: pcap, pcapng, text or json lines.", s.exportCalls},
		{"GET", rowsPattern, "Rows of a table or view as Parquet, Arrow, CSV or JSON lines, streamed.", s.tableRows},
		{"GET", "/api/v1/series", "A figure over time, split into series.", s.series},
		{"GET", "/api/v3/search/call", "Search calls by fields, in Homer's shapes.", s.search},
		{"POST", "/api/v3/search/call", "The same, with the search in a JSON body.", s.search},
		{"POST", "/api/v3/search/call/data", "Search messages, as Homer's search form does.", s.homerSearch},
		{"POST", "/api/v3/search/call/message", "Messages by their ids, whole, as Homer's clients ask for them.", s.homerMessage},
		{"POST", "/api/v3/call/transaction", "The messages of calls, as Homer's clients ask for them.", s.homerTransaction},
		{"POST", "/api/v3/call/report/qos", "The quality reports of calls, as Homer's clients ask for them.", s.homerQOS},
		{"POST", "/api/v3/call/report/log", "The log lines of calls, as Homer's clients ask for them.", s.homerLog},
		{"GET", "/api/v3/mapping/protocol", "What can be searched, in Homer's shape.", s.homerMappings},
		{"GET", "/api/v3/mapping/protocol/{hepid}/{profile}", "The same of one kind of message.", s.homerMapping},
		{"GET", "/api/v3/smart/search/tag/{hepid}/{profile}", "Names that the search expression takes, in Homer's shape.", s.homerTags},
		{"GET", "/api/v3/alias", "Names of addresses, in Homer's shape.", s.homerAliases},
		{"GET", "/api/v3/database/node/list", "The one database that Homer's clients choose from.", s.homerNodes},
		{"GET", "/api/v3/modules/status", "What else Homer's clients may use: nothing.", s.homerModules},
		{"GET", "/api/v3/call/transaction/{callid...}", "The messages of a call, in Homer's shape.", s.transaction},
		{"POST", "/api/v3/export/call/messages/{format}", "Calls in a file, as Homer's clients ask for them.", s.homerExport},
		{"POST", "/api/v3/export/call/transaction/{format}", "The same, by Homer's other name.", s.homerExport},
		{"GET", exportPattern, "A call as pcap, pcapng, text, json, sipp, svg or html.", s.exportCall},
		{"GET", "/api/v3/call/quality/{callid...}", "MOS, loss, jitter and round-trip time of a call.", s.quality},
	}
}

// ask takes a turn, asks the store and gives the turn back.
func ask[T any](ctx context.Context, s *server, kind string, question func(context.Context) (T, error)) (T, error) {
	var none T
	wait := time.NewTimer(s.queue)
	defer wait.Stop()
	select {
	case s.turns <- struct{}{}:
	case <-wait.C:
		s.metrics.refused.Inc()
		return none, errBusy
	case <-ctx.Done():
		return none, ctx.Err()
	}
	defer func() { <-s.turns }()
	s.metrics.searched(kind, time.Now())
	return question(ctx)
}
