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
// returns, its name included.
func write(dir string, s batch.Sealed, of lineage, sync bool) (path string, err error) {
	head, err := json.Marshal(header{s.ID, s.Table, s.Rows, s.Packets, s.Oldest, of.parent, of.root})
	if err != nil {
		return "", err
	}
	var prefix [prefixLen]byte
	copy(prefix[:], magic)
	binary.LittleEndian.PutUint32(prefix[8:], uint32(len(head)))
	binary.LittleEndian.PutUint64(prefix[12:], uint64(len(s.Body)))
	binary.LittleEndian.PutUint32(prefix[20:], crc32.Update(crc32.Checksum(head, castagnoli), castagnoli, s.Body))

	path = filepath.Join(dir, s.ID+suffix)
	tmp := path + tmpSuffix
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return "", err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(tmp)
		}
	}()
	for _, part := range [][]byte{prefix[:], head, s.Body} {
		if _, err = f.Write(part); err != nil {
			_ = f.Close()
			return "", err
		}
	}
	if sync {
		if err = f.Sync(); err != nil {
			_ = f.Close()
			return "", err
		}
	}
	if err = f.Close(); err != nil {
		return "", err
	}
	if err = os.Rename(tmp, path); err != nil {
		return "", err
	}
	if sync {
		if err = syncDir(dir); err != nil {
			// The batch counts as not written: it must not come back as well.
			_ = os.Remove(path)
			return "", err
		}
	}
	return path, nil
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
