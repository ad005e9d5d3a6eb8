package ingest

import (
	"maps"
	"sync"
)

// ledger keeps the books of records: every packet received is stored, dropped
// with a stage and a reason, or waiting. Each movement is one entry under one
// lock, so the sum is right at every moment that anyone looks.
type ledger struct {
	mu       sync.Mutex
	received map[string]uint64 // by transport; "spool" for batches left from before the start
	dropped  map[Loss]uint64
	stored   uint64
	waiting  uint64
	rows     map[string]uint64 // stored rows by table
	kept     map[Loss]uint64   // undecodable packets, stored in events
	// droppedRows are the rows of packets dropped after they had become rows.
	droppedRows map[RowLoss]uint64
}

// Loss names where and why a record was lost, or could not be decoded.
type Loss struct{ Stage, Reason string }

// RowLoss names besides the table that the rows were for.
type RowLoss struct {
	Table string
	Loss
}

func newLedger() *ledger {
	return &ledger{
		received: map[string]uint64{}, dropped: map[Loss]uint64{}, rows: map[string]uint64{}, kept: map[Loss]uint64{},
		droppedRows: map[RowLoss]uint64{},
	}
}

// receive enters n packets, all of them waiting.
func (l *ledger) receive(transport string, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.received[transport] += uint64(n)
	l.waiting += uint64(n)
}

// lost enters packets that were dropped before they were received here, by the
// kernel for instance.
func (l *ledger) lost(transport string, loss Loss, n uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.received[transport] += n
	l.dropped[loss] += n
}

// drop moves n packets from waiting to dropped.
func (l *ledger) drop(loss Loss, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting -= uint64(n)
	l.dropped[loss] += uint64(n)
}

// dropBatch moves the packets of a batch from waiting to dropped.
func (l *ledger) dropBatch(table string, loss Loss, rows, packets int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting -= uint64(packets)
	l.dropped[loss] += uint64(packets)
	l.droppedRows[RowLoss{table, loss}] += uint64(rows)
}

// store moves the packets of a batch from waiting to stored.
func (l *ledger) store(table string, rows, packets int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting -= uint64(packets)
	l.stored += uint64(packets)
	l.rows[table] += uint64(rows)
}

// keep counts a packet that would not decode and goes into events.
func (l *ledger) keep(loss Loss) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.kept[loss]++
}

// Books are the ledger's figures at one moment.
type Books struct {
	// Received counts packets by transport. "spool" are those of batches that an
	// earlier run left behind.
	Received map[string]uint64
	// Dropped counts packets lost by stage and reason.
	Dropped map[Loss]uint64
	// Stored counts packets whose rows ClickHouse has confirmed.
	Stored uint64
	// Waiting counts packets in open batches and in the spool.
	Waiting uint64
	// Rows counts stored rows by table.
	Rows map[string]uint64
	// Undecodable counts packets that did not decode and went into events.
	Undecodable map[Loss]uint64
	// DroppedRows counts the rows of dropped packets that had become rows.
	DroppedRows map[RowLoss]uint64
}

// Total is the number of packets received.
func (b Books) Total() (n uint64) {
	for _, v := range b.Received {
		n += v
	}
	return n
}

// Lost is the number of packets dropped.
func (b Books) Lost() (n uint64) {
	for _, v := range b.Dropped {
		n += v
	}
	return n
}

func (l *ledger) books() Books {
	l.mu.Lock()
	defer l.mu.Unlock()
	return Books{
		Received: maps.Clone(l.received), Dropped: maps.Clone(l.dropped), Stored: l.stored, Waiting: l.waiting,
		Rows: maps.Clone(l.rows), Undecodable: maps.Clone(l.kept), DroppedRows: maps.Clone(l.droppedRows),
	}
}

// rowsStored is the number of rows stored in all tables.
func (l *ledger) rowsStored() (n uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, rows := range l.rows {
		n += rows
	}
	return n
}
