// Package ingest is the way of a record from the wire into ClickHouse. The
// stages, in order: listen finds packets, hep, sip and media decode them where
// they lie, batch gathers their fields in columns, spool keeps sealed batches,
// insert sends them. What cannot go on is counted at the stage where it stopped.
package ingest

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/heplake/heplake/ingest/admit"
	"github.com/heplake/heplake/ingest/batch"
	"github.com/heplake/heplake/ingest/insert"
	"github.com/heplake/heplake/ingest/listen"
	"github.com/heplake/heplake/ingest/sip"
	"github.com/heplake/heplake/ingest/spool"
	"github.com/heplake/heplake/internal/digest"
	"github.com/heplake/heplake/schema"
)

// Config says what the pipeline receives and how it batches.
type Config struct {
	// UDP and TCP are host:port; empty is off.
	UDP, TCP string
	// Streams are the further listeners.
	Streams []StreamConfig
	// IPIP is the address on which IP-in-IP mirrors arrive, Interface the network
	// interface to capture from; empty is off.
	IPIP, Interface string
	// Workers is how many decode in parallel, each with a UDP socket.
	Workers        int
	UDPBuffer      int
	MaxConnections int
	IdleTimeout    time.Duration
	// Durable reads streams no further than a little ahead of the spool, and
	// answers HTTP when what was posted is in it.
	Durable bool
	// MaxBody bounds a POST over HTTP, in bytes.
	MaxBody int64
	// BatchRows, BatchAge and BatchBytes say when a batch is sealed: at so many
	// rows, so long after its first record, or at so many bytes.
	BatchRows  int
	BatchAge   time.Duration
	BatchBytes int
	// Inserters is how many batches are sent at once.
	Inserters int
	// Tenant is whose records they are.
	Tenant string
	// SIPHeaders are kept in the headers column, CorrelationHeaders likewise;
	// the first of these that a message has names its call.
	SIPHeaders, CorrelationHeaders []string
	// StoreRTP keeps raw RTP packets in events, whose payload is otherwise never
	// stored.
	StoreRTP bool
	// Heplify keeps metrics by heplify-server's names too. HeplifyTargets are the
	// addresses that it tells apart, by name; without any it counts a message once
	// however many hops it is seen on.
	Heplify        bool
	HeplifyTargets map[netip.Addr]string
	// NoDigests leaves out what calls are made of: there will be none of what is
	// received. It is for measurements.
	NoDigests bool
	// Kept are sockets that outlive the process, if set.
	Kept *listen.Kept
	// Handover gets digests before they are stored, if set. HoldLegs is how many legs
	// must get something within BatchAge for that, 64 when 0; HoldSkew how far from
	// their receipt the times of records may be, 10 s when 0; HoldBytes how many bytes of
	// them a worker holds, 10 MiB when 0; FloodRate how many may come a second before
	// they are held and not handed over, 1.7 MB when 0, and FloodPause for how long they
	// are not after that, 10 s when 0.
	Handover             Handover
	HoldLegs             int
	HoldSkew             time.Duration
	HoldBytes, FloodRate int
	FloodPause           time.Duration
	// TimeAhead and TimeBehind bound the sender's times that are believed.
	TimeAhead, TimeBehind time.Duration
}

// StreamConfig is one listener for connections.
type StreamConfig struct {
	// Transport is tls, http, https, ws, wss or sctp.
	Transport string
	// Addr is host:port.
	Addr string
	// TLS secures it; tls, https and wss need it.
	TLS *tls.Config
}

// streamListener is a listener for connections, of whatever kind.
type streamListener interface {
	Addr() netip.AddrPort
	Start()
	Close() error
	Stats() listen.StreamStats
}

// Pipeline runs the stages.
type Pipeline struct {
	cfg      Config
	spool    *spool.Spool
	inserter *insert.Inserter
	log      *slog.Logger

	ledger  *ledger
	commits *commits
	heplify *heplify // nil when off
	timings *timings
	rate    meter
	// mediaIndex is shared by the workers.
	mediaIndex mediaIndex
	workers    []*worker
	// What is emptied goes back to these.
	sips    *pool[batch.SIP]
	medias  *pool[batch.Media]
	events  *pool[batch.Events]
	digests *pool[batch.LegDigests]
	ids     *pool[batch.IDs]
	users   *pool[batch.Users]
	seal    chan sealer
	// sealRoom bounds what waits in seal, in bytes.
	sealRoom *semaphore.Weighted
	// syncing has an element for each batch that is on its way to the disk.
	syncing chan struct{}

	udp     *listen.UDP
	streams map[string]streamListener
	taps    map[string]tap

	stopClock chan struct{}
	clock     sync.WaitGroup
	sealers   sync.WaitGroup
	syncers   sync.WaitGroup
	inserting sync.WaitGroup
	sending   atomic.Int32 // batches on their way to ClickHouse
	cancel    context.CancelFunc

	// lookedOverdue is when the spool was asked for digests that wait, stored what is
	// known of those it has let go, told are the
	// ids that table ids was told of, toldUsers likewise of table users: all are for the
	// clock alone, as is namesPrompt, which says that there are rows of ids and users whose
	// digests nobody was given. idsGone counts lost batches of these: what they said is
	// told again.
	lookedOverdue time.Time
	stored        storedWatch
	told          toldIDs
	toldUsers     toldUsers
	namesPrompt   bool
	idsGone       atomic.Uint64

	kernelDrops uint64 // of all sockets, as last entered in the ledger
	tapDrops    map[string]uint64
}

// New makes a pipeline that keeps its batches in sp and sends them by in.
// Nothing is received before Start.
func New(cfg Config, sp *spool.Spool, in *insert.Inserter, log *slog.Logger) *Pipeline {
	cfg.HoldLegs, cfg.HoldSkew = cmp.Or(cfg.HoldLegs, holdLegs), cmp.Or(cfg.HoldSkew, heldSkew)
	cfg.HoldBytes, cfg.FloodRate, cfg.FloodPause = cmp.Or(cfg.HoldBytes, heldBytes), cmp.Or(cfg.FloodRate, floodRate), cmp.Or(cfg.FloodPause, floodPause)
	p := &Pipeline{
		cfg: cfg, spool: sp, inserter: in, log: log,
		ledger: newLedger(), commits: newCommits(), timings: newTimings(),
		seal:      make(chan sealer, sealQueue),
		streams:   map[string]streamListener{},
		tapDrops:  map[string]uint64{},
		stopClock: make(chan struct{}),
	}
	p.sealRoom, p.syncing = semaphore.NewWeighted(p.sealBytes()), make(chan struct{}, syncQueue)
	if cfg.Heplify {
		p.heplify = newHeplify(cfg.HeplifyTargets)
	}
	spelled, named := parsedHeaders(cfg.CorrelationHeaders)
	p.cfg.CorrelationHeaders = spelled
	headers := append(slices.Clone(cfg.SIPHeaders), named...)
	p.digests, p.ids = newPool[batch.LegDigests](&schema.LegDigests), newPool[batch.IDs](&schema.IDs)
	p.users = newPool[batch.Users](&schema.Users)
	p.sips, p.medias, p.events = newPool[batch.SIP](&schema.SIP), newPool[batch.Media](&schema.Media), newPool[batch.Events](&schema.Events)
	for range cfg.Workers {
		w := &worker{p: p, scanner: sip.NewScanner(sip.Options{Headers: headers}), limit: admit.Limiter{Rate: undecodableRate, Burst: undecodableBurst}}
		w.sipRows.pool, w.mediaRows.pool, w.eventRows.pool, w.digestRows.pool, w.idRows.pool = p.sips, p.medias, p.events, p.digests, p.ids
		w.userRows.pool = p.users
		w.linker = digest.NewLinker(cfg.CorrelationHeaders)
		p.workers = append(p.workers, w)
	}
	return p
}

// syncQueue is how many batches may be on their way to the disk.
const syncQueue = 64

// sealQueue is how many batches may wait for the sealers: every worker hands over
// some of each table at once when they are old.
const sealQueue = 64

// sealBytes is what they may take together: a full batch for each worker, so that
// one slow write to the disk holds up no receipt.
func (p *Pipeline) sealBytes() int64 { return int64(p.cfg.Workers) * int64(p.cfg.BatchBytes) }

// Start opens the listeners and runs the stages. After an error nothing runs.
func (p *Pipeline) Start(ctx context.Context) error {
	// What an earlier run left behind is received anew in the books.
	p.ledger.receive("spool", p.spool.Stats().Packets)
	if err := p.listen(ctx); err != nil {
		return errors.Join(err, p.closeListeners())
	}
	inserting, cancel := context.WithCancel(context.WithoutCancel(ctx))
	p.cancel = cancel
	for range p.cfg.Inserters {
		p.inserting.Go(func() { p.insertLoop(inserting) })
	}
	for range max(2, p.cfg.Workers/2) {
		p.sealers.Go(func() { p.sealLoop(inserting) })
	}
	p.clock.Go(p.clockLoop)
	if p.udp != nil {
		p.udp.Start()
	}
	for _, s := range p.streams {
		s.Start()
	}
	for _, t := range p.taps {
		t.Start()
	}
	return nil
}

func (p *Pipeline) sinks(transport string) []listen.Sink {
	sinks := make([]listen.Sink, len(p.workers))
	for i, w := range p.workers {
		sinks[i] = entrance{w, transport}
	}
	return sinks
}

func (p *Pipeline) listen(ctx context.Context) (err error) {
	if p.cfg.UDP != "" {
		cfg := listen.UDPConfig{Addr: p.cfg.UDP, Buffer: p.cfg.UDPBuffer, Kept: p.cfg.Kept}
		if p.udp, err = listen.ListenUDP(ctx, cfg, p.sinks("udp")); err != nil {
			return err
		}
	}
	all := p.cfg.Streams
	if p.cfg.TCP != "" {
		all = append([]StreamConfig{{Transport: "tcp", Addr: p.cfg.TCP}}, all...)
	}
	for _, s := range all {
		if p.streams[s.Transport], err = p.listenStream(ctx, s); err != nil {
			delete(p.streams, s.Transport)
			return err
		}
	}
	p.cfg.Kept.Rest()
	return p.listenTaps(ctx)
}

func (p *Pipeline) listenStream(ctx context.Context, s StreamConfig) (streamListener, error) {
	cfg := listen.StreamConfig{
		Addr: s.Addr, TLS: s.TLS, SCTP: s.Transport == "sctp",
		MaxConns: p.cfg.MaxConnections, IdleTimeout: p.cfg.IdleTimeout, Durable: p.cfg.Durable,
		Kept: p.cfg.Kept, Name: s.Transport,
	}
	switch s.Transport {
	case "http", "https", "ws", "wss":
		return listen.ListenHTTP(ctx, listen.HTTPConfig{StreamConfig: cfg, MaxBody: p.cfg.MaxBody}, p.sinks(s.Transport))
	}
	return listen.ListenStream(ctx, cfg, p.sinks(s.Transport))
}

func (p *Pipeline) closeListeners() error {
	errs := []error{p.closeTaps()}
	if p.udp != nil {
		errs = append(errs, p.udp.Close())
	}
	for _, s := range p.streams {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}

// Addrs are the addresses listened on, by transport.
func (p *Pipeline) Addrs() map[string]netip.AddrPort {
	addrs := map[string]netip.AddrPort{}
	if p.udp != nil {
		addrs["udp"] = p.udp.Addr()
	}
	for name, s := range p.streams {
		addrs[name] = s.Addr()
	}
	return addrs
}

// Stop receives no more, seals what is open and sends it. When ctx ends first,
// what is left stays in the spool for the next start; of that,
// what the disk refuses is lost and counted.
func (p *Pipeline) Stop(ctx context.Context) error {
	err := p.closeListeners()
	for transport, s := range p.streams {
		if n := s.Stats().UnreadBytes; n > 0 {
			p.log.Warn("senders went on after the end of their connections; what they sent was not all read", "transport", transport, "unread_bytes", n)
		}
	}
	close(p.stopClock)
	p.clock.Wait()
	p.noteKernelDrops()
	p.sealOpenedBefore(time.Now().Add(time.Hour))
	close(p.seal)
	p.sealers.Wait()
	p.drain(ctx)
	p.cancel()
	p.inserting.Wait()
	p.syncers.Wait()
	p.dropLost(p.spool.Close())
	p.logBooks()
	if err != nil {
		return fmt.Errorf("stop ingest: %w", err)
	}
	return nil
}

// logBooks writes the final figures: after a stop nobody can ask for them.
func (p *Pipeline) logBooks() {
	books := p.ledger.books()
	args := []any{"received", books.Total(), "stored", books.Stored, "dropped", books.Lost(), "waiting", books.Waiting}
	for _, loss := range slices.SortedFunc(maps.Keys(books.Dropped), func(a, b Loss) int {
		return cmp.Or(strings.Compare(a.Stage, b.Stage), strings.Compare(a.Reason, b.Reason))
	}) {
		args = append(args, "dropped."+loss.Stage+"."+loss.Reason, books.Dropped[loss])
	}
	p.log.Info("receipt has stopped", args...)
	if left := p.spool.Stats(); left.Batches > 0 {
		p.log.Warn("batches left in the spool for the next start", "batches", left.Batches, "packets", left.Packets)
	}
}

// Fill is how full the fullest receive buffer for datagrams is, from 0 to 1: what does
// not fit the kernel drops.
func (p *Pipeline) Fill() float64 {
	if p.udp == nil {
		return 0
	}
	return p.udp.Fill()
}

// Books returns the pipeline's figures of this moment.
func (p *Pipeline) Books() Books { return p.ledger.books() }
