package spool

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/heplake/heplake/ingest/batch"
)

// A spool file holds one sealed batch. docs/spool.md is its specification:
//
//	offset  size  field
//	0       8     magic "HEPSPL01"
//	8       4     length of the header, little-endian
//	12      8     length of the body, little-endian
//	20      4     CRC-32C of header and body, little-endian
//	24      –     header: JSON of what the batch holds
//	–       –     body: the Arrow stream, as it is sent to ClickHouse
const (
	magic     = "HEPSPL01"
	prefixLen = 24
	suffix    = ".batch"
	tmpSuffix = ".tmp"
	maxHeader = 64 << 10
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// errCorrupt is a spool file that is not what was written.
var errCorrupt = errors.New("spool file is corrupt")

type header struct {
	ID      string    `json:"id"`
	Table   string    `json:"table"`
	Rows    int       `json:"rows"`
	Packets int       `json:"packets"`
	Oldest  time.Time `json:"oldest"`
	// Parent is the batch that this one is a part of, Root the one that was
	// sealed; both empty for a batch as it was sealed.
	Parent string `json:"parent,omitempty"`
	Root   string `json:"root,omitempty"`
}

// lineage says what a part of a split batch came from.
type lineage struct{ parent, root string }

// write makes the file of a batch: under a temporary name first, so that a file
// that bears its own name is whole. With sync it is on the disk when write
// returns, its name included. body says where in the file the stream is.
func write(dir string, s batch.Sealed, of lineage, sync bool) (batch.File, error) {
	f, body, err := draft(dir, s, of)
	if err != nil {
		return batch.File{}, err
	}
	if sync {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), body.Path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return batch.File{}, err
	}
	if sync {
		if err = syncDir(dir); err != nil {
			// The batch counts as not written: it must not come back as well.
			_ = os.Remove(body.Path)
			return batch.File{}, err
		}
	}
	return body, nil
}

// place makes the file of a batch likewise, for the caller to synchronise: until
// then a crash of the process leaves it whole, one of the machine may not.
func place(dir string, s batch.Sealed, of lineage) (*os.File, batch.File, error) {
	f, body, err := draft(dir, s, of)
	if err != nil {
		return nil, batch.File{}, err
	}
	if err = os.Rename(f.Name(), body.Path); err != nil {
		_ = f.Close()
		_ = os.Remove(f.Name())
		return nil, batch.File{}, err
	}
	return f, body, nil
}

// draft writes the file under its temporary name. body says where the stream will
// be.
func draft(dir string, s batch.Sealed, of lineage) (f *os.File, body batch.File, err error) {
	head, err := json.Marshal(header{s.ID, s.Table, s.Rows, s.Packets, s.Oldest, of.parent, of.root})
	if err != nil {
		return nil, batch.File{}, err
	}
	body = batch.File{Path: filepath.Join(dir, s.ID+suffix), Offset: prefixLen + int64(len(head)), Size: s.Size()}
	if f, err = os.OpenFile(body.Path+tmpSuffix, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600); err != nil {
		return nil, batch.File{}, err
	}
	if err = writeTo(f, head, s); err != nil {
		_ = f.Close()
		_ = os.Remove(f.Name())
		return nil, batch.File{}, err
	}
	return f, body, nil
}

// writeSize is how much is written at once: little enough for the CRC to leave
// it in the processor's cache for the write.
const writeSize = 128 << 10

// writeTo writes the file's content, its prefix last: only then is the CRC known.
func writeTo(f *os.File, head []byte, s batch.Sealed) error {
	if _, err := f.WriteAt(head, prefixLen); err != nil {
		return err
	}
	crc, at := crc32.Checksum(head, castagnoli), prefixLen+int64(len(head))
	pieces := s.Pieces
	if pieces == nil {
		pieces = [][]byte{s.Body}
	}
	for _, piece := range pieces {
		for part := range slices.Chunk(piece, writeSize) {
			crc = crc32.Update(crc, castagnoli, part)
			if _, err := f.WriteAt(part, at); err != nil {
				return err
			}
			at += int64(len(part))
		}
	}
	var prefix [prefixLen]byte
	copy(prefix[:], magic)
	binary.LittleEndian.PutUint32(prefix[8:], uint32(len(head)))
	binary.LittleEndian.PutUint64(prefix[12:], uint64(s.Size()))
	binary.LittleEndian.PutUint32(prefix[20:], crc)
	_, err := f.WriteAt(prefix[:], 0)
	return err
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	return d.Sync()
}

// readHeader reads what a spool file holds, without its body, and checks the
// file's length. size is the whole file's.
func readHeader(path string) (h header, size int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return h, 0, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return h, 0, err
	}
	var prefix [prefixLen]byte
	if _, err := io.ReadFull(f, prefix[:]); err != nil {
		return h, info.Size(), fmt.Errorf("%w: %s: %d bytes long", errCorrupt, path, info.Size())
	}
	headLen, bodyLen := int64(binary.LittleEndian.Uint32(prefix[8:])), int64(binary.LittleEndian.Uint64(prefix[12:]))
	if string(prefix[:8]) != magic || headLen > maxHeader || bodyLen < 0 || prefixLen+headLen+bodyLen != info.Size() {
		return h, info.Size(), fmt.Errorf("%w: %s: the lengths do not add up", errCorrupt, path)
	}
	head := make([]byte, headLen)
	if _, err := io.ReadFull(f, head); err != nil {
		return h, info.Size(), err
	}
	if err := json.Unmarshal(head, &h); err != nil {
		return h, info.Size(), fmt.Errorf("%w: %s: header: %w", errCorrupt, path, err)
	}
	return h, info.Size(), nil
}

// read reads a whole spool file and checks its CRC.
func read(path string) (batch.Sealed, error) {
	h, _, err := readHeader(path)
	if err != nil {
		return batch.Sealed{}, err
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return batch.Sealed{}, err
	}
	rest := data[prefixLen:]
	if crc32.Checksum(rest, castagnoli) != binary.LittleEndian.Uint32(data[20:]) {
		return batch.Sealed{}, fmt.Errorf("%w: %s: CRC mismatch", errCorrupt, path)
	}
	body := rest[binary.LittleEndian.Uint32(data[8:]):]
	return batch.Sealed{ID: h.ID, Table: h.Table, Rows: h.Rows, Packets: h.Packets, Oldest: h.Oldest, Body: body}, nil
}
