package ingest

import (
	"context"
	"errors"
	"time"

	"github.com/cenkalti/backoff/v5"
	"golang.org/x/sync/semaphore"

	"github.com/heplake/heplake/ingest/batch"
	"github.com/heplake/heplake/ingest/insert"
	"github.com/heplake/heplake/ingest/spool"
	"github.com/heplake/heplake/schema"
)

// sealer is a full batch on its way to be sealed, whatever its table.
type sealer interface {
	seal() (batch.Sealed, error)
	table() string
	rows() int
	packets() int
	// size is the memory that the rows take, in bytes.
	size() int
	// commit is the batch's number in commits.
	commit() uint64
	// release gives the batch's memory back.
	release()
}

type sealing[R any] struct {
	b      *batch.Batch[R]
	pool   *pool[R]
	number uint64 // of commits
	held   held
}

// held is the room that a batch takes in front of the sealers.
type held struct {
	room  *semaphore.Weighted
	bytes int64
}

// take waits until there is room. A batch larger than all of it goes alone.
func take(room *semaphore.Weighted, all int64, bytes int) held {
	h := held{room, min(all, int64(bytes))}
	_ = room.Acquire(context.Background(), h.bytes) // which fails with its context alone
	return h
}

func (h held) release() { h.room.Release(h.bytes) }

func (s sealing[R]) seal() (batch.Sealed, error) { return s.b.Seal() }
func (s sealing[R]) commit() uint64              { return s.number }
func (s sealing[R]) table() string               { return s.pool.table.Name }
func (s sealing[R]) rows() int                   { return s.b.Rows() }
func (s sealing[R]) packets() int                { return s.b.Packets() }
func (s sealing[R]) size() int                   { return s.b.Size() }
func (s sealing[R]) release()                    { s.pool.put(s.b); s.held.release() }

// trimEvery is for how long memory is kept that nobody needs.
const trimEvery = 30 * time.Second

// clockLoop seals batches that have become old and looks after the sockets.
func (p *Pipeline) clockLoop() {
	tick := time.NewTicker(max(p.cfg.BatchAge/8, time.Millisecond))
	defer tick.Stop()
	var sampled, trimmed time.Time
	for {
		select {
		case <-p.stopClock:
			return
		case now := <-tick.C:
			p.sealOpenedBefore(now.Add(-p.cfg.BatchAge))
			p.noteKernelDrops()
			if now.Sub(sampled) >= time.Second {
				p.rate.perSecond(now, p.ledger.rowsStored())
				sampled = now
			}
			if now.Sub(trimmed) >= trimEvery {
				p.sips.trim()
				p.medias.trim()
				p.events.trim()
				p.digests.trim()
				p.ids.trim()
				p.users.trim()
				trimmed = now
			}
		}
	}
}

// sealOpenedBefore seals the batches whose first record came before t. A t that
// lies ahead is a stop: nothing is left open.
func (p *Pipeline) sealOpenedBefore(t time.Time) {
	now := time.Now()
	stopping := t.After(now)
	if stopping {
		now = t
	}
	for _, w := range p.workers {
		w.flush(now, stopping)
	}
	p.commits.gather(p.oldestOpen())
	defer p.commits.gather(time.Time{})
	sealOld(p, p.sips, func(w *worker) *openBatches[batch.SIP] { return &w.sipRows }, t)
	sealOld(p, p.medias, func(w *worker) *openBatches[batch.Media] { return &w.mediaRows }, t)
	sealOld(p, p.events, func(w *worker) *openBatches[batch.Events] { return &w.eventRows }, t)
	p.sealDigests(t, now, stopping)
	for _, w := range p.workers {
		p.commits.pass(w, t)
	}
}

// noteKernelDrops enters the datagrams that the kernel dropped since the last look.
func (p *Pipeline) noteKernelDrops() {
	p.noteTapDrops()
	if p.udp == nil {
		return
	}
	var drops uint64
	for _, s := range p.udp.Stats() {
		drops += s.KernelDrops
	}
	if n := drops - p.kernelDrops; n > 0 {
		p.ledger.lost("udp", Loss{"listen", "kernel_buffer"}, n)
		p.kernelDrops = drops
		if err := p.udp.Counted(); err != nil {
			p.log.Warn("the next start may count drops again", "error", err)
		}
	}
}

// sealLoop turns batches into Arrow streams and puts them into the spool. Once ctx
// ends nobody sends them any more.
func (p *Pipeline) sealLoop(ctx context.Context) {
	for s := range p.seal {
		table, rows, packets, size := s.table(), s.rows(), s.packets(), s.size()
		began := time.Now()
		sealed, err := s.seal()
		if err != nil {
			s.release()
			p.log.Error("a batch cannot be sealed", "error", err)
			p.dropBatch(table, Loss{"batch", "seal_failed"}, rows, packets)
			p.commits.settle(s.commit(), false)
			continue
		}
		p.timings.seal.WithLabelValues(table).Observe(time.Since(began).Seconds())
		p.timings.batchRows.WithLabelValues(table).Observe(float64(rows))
		p.timings.batchBytes.WithLabelValues(table).Observe(float64(sealed.Size()))
		p.timings.fill.WithLabelValues(table).Observe(max(float64(rows)/float64(p.cfg.BatchRows), float64(size)/float64(p.cfg.BatchBytes)))
		began = time.Now()
		evicted, kept, err := p.spool.Put(sealed) // which logs what it gives up
		s.release()
		p.dropLost(evicted)
		p.timings.write.WithLabelValues(table).Observe(time.Since(began).Seconds())
		p.commits.spooled(s.commit())
		if err != nil {
			p.dropBatch(table, Loss{"spool", "full"}, rows, packets)
			p.commits.settle(s.commit(), false)
			continue
		}
		number := s.commit()
		p.syncing <- struct{}{}
		p.syncers.Go(func() {
			p.commits.settle(number, kept.Sync(ctx, p.syncAfter()))
			<-p.syncing
		})
	}
}

// syncLater is how long ClickHouse has to take a batch before the disk must: in
// normal operation it is faster, and the disk is spared nearly all of the spool.
const syncLater = 500 * time.Millisecond

// syncAfter is syncLater, unless a sender waits for the disk.
func (p *Pipeline) syncAfter() time.Duration {
	if p.cfg.Durable {
		return 0
	}
	return syncLater
}

// dropBatch enters a batch that is lost at the stage.
func (p *Pipeline) dropBatch(table string, loss Loss, rows, packets int) {
	p.ledger.dropBatch(table, loss, rows, packets)
	if table == schema.IDs.Name || table == schema.Users.Name {
		p.idsGone.Add(1)
	}
}

// dropLost enters what the spool gave up.
func (p *Pipeline) dropLost(lost []spool.Lost) {
	for _, l := range lost {
		p.dropBatch(l.Table, Loss{"spool", l.Reason}, l.Rows, l.Packets)
	}
}

// insertLoop sends batches until ctx ends. After a failure it waits, longer
// each time, so that a ClickHouse that comes back is not flooded.
func (p *Pipeline) insertLoop(ctx context.Context) {
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = 100*time.Millisecond, 5*time.Second
	for {
		entry, sealed, err := p.spool.Next(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil { // a damaged file, set aside
			p.dropBatch(entry.Table, Loss{"spool", "corrupt"}, entry.Rows, entry.Packets)
			continue
		}
		began := time.Now()
		p.sending.Add(1)
		err = p.inserter.Insert(ctx, sealed)
		p.sending.Add(-1)
		switch {
		case err == nil:
			p.spool.Ack(entry)
			p.ledger.store(sealed.Table, sealed.Rows, sealed.Packets)
			p.timings.insert.WithLabelValues(sealed.Table).Observe(time.Since(began).Seconds())
			// Of a batch from before the start the time is the wall clock's, which may
			// have been set back since.
			p.timings.latency.WithLabelValues(sealed.Table).Observe(max(0, time.Since(sealed.Oldest).Seconds()))
			pause.Reset()
		case errors.Is(err, insert.ErrRejected):
			p.refused(entry, sealed, err)
			pause.Reset() // ClickHouse answers
		default:
			p.spool.Retry(entry)
			if ctx.Err() != nil {
				return
			}
			wait := pause.NextBackOff()
			p.timings.failures.Inc()
			p.log.Warn("insert failed; it will be tried again", "wait", wait.Round(time.Millisecond), "error", err)
			select {
			case <-ctx.Done():
				return
			case <-time.After(wait):
			}
		}
	}
}

// refused deals with a batch that ClickHouse will not take as it is: the halves
// of it are tried, and halves of these, until the rows at fault are alone.
func (p *Pipeline) refused(entry *spool.Entry, sealed batch.Sealed, why error) {
	if p.spool.Worth(entry) {
		loaded, err := sealed.Load()
		if err != nil {
			p.log.Warn("a refused batch cannot be read; it will be tried again", "id", sealed.ID, "error", err)
			p.spool.Retry(entry)
			return
		}
		first, second, err := insert.Split(loaded)
		if err == nil {
			if err = p.spool.Split(entry, first, second); err == nil {
				return
			}
			// The disk does not take the halves now.
			p.log.Warn("a refused batch cannot be split yet; it will be tried again", "id", sealed.ID, "error", err)
			p.spool.Retry(entry)
			return
		}
		why = errors.Join(why, err) // the body itself is at fault
	}
	if err := p.spool.Reject(entry, sealed, why); err != nil {
		p.log.Error("refused rows cannot be kept", "id", sealed.ID, "error", err)
	}
	p.dropBatch(sealed.Table, Loss{"insert", "rejected"}, sealed.Rows, sealed.Packets)
}

// drain waits until the spool is empty or ctx ends.
func (p *Pipeline) drain(ctx context.Context) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for p.spool.Stats().Batches > 0 {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
