package batch

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"time"
)

// Sealed is a batch that will not change any more: what the spool holds and
// every attempt to insert sends, byte for byte.
//
// Its stream is in one place: in Pieces as it was sealed, in Body, or in File.
type Sealed struct {
	// ID names the batch for ever. It is the deduplication token of its insert,
	// so the same ID must never name other bytes.
	ID string
	// Table is where it goes.
	Table string
	// Rows and Packets count what it holds.
	Rows, Packets int
	// Oldest is when its first packet was received.
	Oldest time.Time
	// Pieces are the Arrow IPC stream, with one record batch, one after the other.
	// Most are the columns' own memory: they hold until the batch is reset.
	Pieces [][]byte
	// Body is the stream in one.
	Body []byte
	// File is where on the disk the stream is.
	File File
}

// File is a part of a file.
type File struct {
	Path         string
	Offset, Size int64
}

// Size is the length of the stream in bytes.
func (s *Sealed) Size() int64 {
	switch {
	case s.File.Path != "":
		return s.File.Size
	case s.Pieces != nil:
		n := 0
		for _, p := range s.Pieces {
			n += len(p)
		}
		return int64(n)
	}
	return int64(len(s.Body))
}

// Load returns the batch with its stream in Body: a copy of the pieces, or read
// from the file.
func (s Sealed) Load() (Sealed, error) {
	switch {
	case s.File.Path != "":
		f, err := os.Open(s.File.Path)
		if err != nil {
			return Sealed{}, err
		}
		defer func() { _ = f.Close() }()
		s.Body = make([]byte, s.File.Size)
		if _, err := io.ReadFull(io.NewSectionReader(f, s.File.Offset, s.File.Size), s.Body); err != nil {
			return Sealed{}, fmt.Errorf("batch: read %s: %w", s.File.Path, err)
		}
	case s.Pieces != nil:
		s.Body = bytes.Join(s.Pieces, nil)
	}
	s.Pieces, s.File = nil, File{}
	return s, nil
}

// pieces is a writer that keeps large writes where they are: of a column, the
// memory that it has anyway.
type pieces struct {
	list  [][]byte
	small []byte // what is copied; the last piece may be its end
	open  bool   // it is
}

// worthKeeping is the size from which a write is kept in place. Below it a copy
// costs less than one more piece.
const worthKeeping = 4096

// Write implements io.Writer. b must not change afterwards when it is long.
func (p *pieces) Write(b []byte) (int, error) {
	if len(b) >= worthKeeping {
		p.list, p.open = append(p.list, b), false
		return len(b), nil
	}
	if len(b) > cap(p.small)-len(p.small) {
		p.small, p.open = make([]byte, 0, 16*worthKeeping), false
	}
	from := len(p.small)
	p.small = append(p.small, b...)
	if p.open {
		last := &p.list[len(p.list)-1]
		*last = (*last)[:len(*last)+len(b)]
	} else {
		p.list, p.open = append(p.list, p.small[from:]), true
	}
	return len(b), nil
}
