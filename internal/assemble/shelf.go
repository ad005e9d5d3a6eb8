package assemble

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/heplake/heplake/internal/digest"
)

// shelf has legs that memory has no room for, in a file: a call of minutes is made again
// when it ends, and to read its legs of the database takes a hundred times as long.
// Nothing depends on it: what is not there, because others came since or a disk is full,
// is read of the database.
type shelf struct {
	file *os.File // nil when there is none
	// size is that of the file, which is written around and around; end is how much ever
	// was, from one buffer to the next, and unwritten what of it is not in the file yet.
	size, end int64
	unwritten []byte
	// places are where legs are, by hash, in rows of shelfRow.
	places []shelved
	record []byte // scratch
	// fetched counts the legs that came back; failed is told when nothing is kept any more.
	fetched prometheus.Counter
	failed  func(error)
}

// shelved is where a leg is: n bytes from at on, as end counts, with that sum; none when n
// is 0.
type shelved struct {
	hash   uint64
	at     int64
	n, sum uint32
}

const (
	// shelfBytes is the size of the file, shelfPlaces how many legs it may have: some
	// 1,300 B each of generated traffic, and ten minutes of it at 10,000 messages a second.
	shelfBytes  = 512 << 20
	shelfPlaces = 1 << 19
	// shelfRow is how many places there are for a hash.
	shelfRow = 8
	// shelfBuffer is what is written at a time, and as large as a leg may be.
	shelfBuffer = 256 << 10
)

// newShelf makes one in the folder. The file has no name there: it is gone with the
// process, however that ends.
func newShelf(dir string, fetched prometheus.Counter, failed func(error)) (*shelf, error) {
	f, err := os.CreateTemp(dir, "legs-*.tmp")
	if err != nil {
		return nil, fmt.Errorf("assemble: a file for legs: %w", err)
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(fmt.Errorf("assemble: a file for legs: %w", err), f.Close())
	}
	return &shelf{file: f, size: shelfBytes, fetched: fetched, failed: failed}, nil
}

// close gives the file up.
func (s *shelf) close() error {
	if s == nil || s.file == nil {
		return nil
	}
	err := s.file.Close()
	*s = shelf{fetched: s.fetched, failed: s.failed}
	return err
}

// row are the places for a hash.
func (s *shelf) row(hash uint64) []shelved {
	from := hash % uint64(len(s.places)/shelfRow) * shelfRow
	return s.places[from : from+shelfRow]
}

// there reports whether what is at the place is in the file still.
func (s *shelf) there(p *shelved) bool { return p.n > 0 && p.at >= s.end-s.size }

// put puts a leg there, of which nothing is to be written any more. After a write that
// failed there is nothing on the shelf, nor will there be.
func (s *shelf) put(e *entry) {
	if s == nil || s.file == nil || len(e.digests.Data) == 0 {
		return
	}
	s.record = e.appendTo(s.record[:0])
	n := int64(len(s.record))
	if n > shelfBuffer {
		return
	}
	if s.places == nil {
		s.places = make([]shelved, shelfPlaces)
		s.unwritten = make([]byte, 0, shelfBuffer)
	}
	// What is in one piece is written, and read, in one.
	if int64(len(s.unwritten))+n > shelfBuffer {
		if err := s.write(); err != nil {
			s.failed(errors.Join(err, s.close()))
			return
		}
	}
	hash := e.hash()
	row := s.row(hash)
	oldest := &row[0]
	for i := range row {
		p := &row[i]
		if p.hash == hash {
			oldest = p
			break
		}
		if p.at < oldest.at {
			oldest = p
		}
	}
	*oldest = shelved{hash, s.end + int64(len(s.unwritten)), uint32(n), sumOf(s.record)}
	s.unwritten = append(s.unwritten, s.record...)
}

// write writes what is not written yet, and goes on at the next place that has room.
func (s *shelf) write() error {
	if _, err := s.file.WriteAt(s.unwritten, s.end%s.size); err != nil {
		return fmt.Errorf("assemble: legs do not get into their file: %w", err)
	}
	s.end += shelfBuffer
	s.unwritten = s.unwritten[:0]
	return nil
}

// take takes a leg from the shelf; nil when it is not there.
func (s *shelf) take(id legID) *entry {
	if s == nil || s.places == nil {
		return nil
	}
	hash := id.hash()
	row := s.row(hash)
	for i := range row {
		p := &row[i]
		if p.hash != hash || !s.there(p) {
			continue
		}
		e := &entry{legID: id}
		found := *p
		*p = shelved{}
		if b := s.read(found); b == nil || !e.readFrom(b) {
			return nil
		}
		s.fetched.Inc()
		return e
	}
	return nil
}

// drop forgets what is there of a leg.
func (s *shelf) drop(id legID) {
	if s == nil || s.places == nil {
		return
	}
	hash := id.hash()
	row := s.row(hash)
	for i := range row {
		if row[i].hash == hash {
			row[i] = shelved{}
		}
	}
}

// read reads a record, which holds until the next is read; nil when it cannot.
func (s *shelf) read(p shelved) []byte {
	if from := p.at - s.end; from >= 0 {
		return s.unwritten[from : from+int64(p.n)]
	}
	if cap(s.record) < int(p.n) {
		s.record = make([]byte, p.n)
	}
	b := s.record[:p.n]
	if _, err := s.file.ReadAt(b, p.at%s.size); err != nil || sumOf(b) != p.sum {
		return nil
	}
	return b
}

func sumOf(b []byte) uint32 { return uint32(xxhash.Sum64(b)) }

// clear empties it.
func (s *shelf) clear() {
	if s != nil {
		clear(s.places)
	}
}

// Flags of a record.
const (
	shelvedWhole = 1 << iota
	shelvedFresh
	shelvedDoubtful
	shelvedAssembled
)

// appendTo writes the entry: what is known of a leg that is written as it is, and stored.
func (e *entry) appendTo(b []byte) []byte {
	text := func(s string) {
		b = append(binary.AppendUvarint(b, uint64(len(s))), s...)
	}
	number := func(n int64) { b = binary.AppendVarint(b, n) }
	var flags byte
	for i, on := range [...]bool{e.whole, e.fresh, e.doubtful, !e.assembledAt.IsZero()} {
		if on {
			flags |= 1 << i
		}
	}
	text(e.tenant)
	text(e.callID)
	b = append(b, byte(e.kinds), flags)
	for _, n := range [...]int64{e.first, e.last, int64(e.lastAt), e.came, e.row.start} {
		number(n)
	}
	text(e.row.key)
	b = binary.LittleEndian.AppendUint64(b, e.written)
	number(int64(len(e.attempts)))
	for _, us := range e.attempts {
		number(us)
	}
	return append(b, e.digests.Data...)
}

// readFrom makes the entry what was written of it; false when that is of another leg.
func (e *entry) readFrom(b []byte) bool {
	text := func() []byte {
		n, w := binary.Uvarint(b)
		s := b[w : w+int(n)]
		b = b[w+int(n):]
		return s
	}
	number := func() int64 {
		n, w := binary.Varint(b)
		b = b[w:]
		return n
	}
	if string(text()) != e.tenant || string(text()) != e.callID {
		return false
	}
	e.kinds = digest.Kinds(b[0])
	e.whole, e.fresh, e.doubtful = b[1]&shelvedWhole != 0, b[1]&shelvedFresh != 0, b[1]&shelvedDoubtful != 0
	if b[1]&shelvedAssembled != 0 {
		e.assembledAt = time.Now() // whenever it was
	}
	b = b[2:]
	e.first, e.last, e.lastAt, e.came, e.row.start = number(), number(), int(number()), number(), number()
	e.row.key = string(text())
	e.written = binary.LittleEndian.Uint64(b)
	b = b[8:]
	if n := number(); n > 0 {
		e.attempts = make([]int64, n)
		for i := range e.attempts {
			e.attempts[i] = number()
		}
	}
	e.digests.Data = append(make([]byte, 0, len(b)), b...)
	return true
}
