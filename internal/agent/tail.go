package agent

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"sync"
	"time"
)

// tailPoll is how often a file is looked at for more. Polling works on every
// file system; notifications do not.
const tailPoll = 200 * time.Millisecond

// Tail reads a file as it grows, as tail -F does: it waits for a file that is
// not there yet, goes on with the new one after a rotation, when all of the old
// one is read, and begins anew when the file was truncated. It is an io.Reader
// that ends with its context.
type Tail struct {
	ctx  context.Context //nolint:containedctx // Read has no argument for it
	mu   sync.Mutex      // held by Read, which ends soon after ctx, and Close
	path string
	file *os.File
	next *os.File // after a rotation
	at   int64
	last byte // read last
}

// NewTail returns the file's reader, from its end, or, fromStart, from its
// beginning. A file that is made later is read from its beginning. The reader
// must be closed.
func NewTail(ctx context.Context, path string, fromStart bool) (*Tail, error) {
	t := &Tail{ctx: ctx, path: path, last: '\n'}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return t, nil
	}
	if err != nil {
		return nil, err
	}
	t.file = f
	if !fromStart {
		if t.at, err = f.Seek(0, io.SeekEnd); err != nil {
			_ = f.Close()
			return nil, err
		}
	}
	return t, nil
}

// Read waits until there is more. Its errors are io.EOF, when the context
// ended, and those of reading.
func (t *Tail) Read(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for t.ctx.Err() == nil {
		if t.file != nil {
			n, err := t.file.Read(p)
			if n > 0 {
				t.at += int64(n)
				t.last = p[n-1]
				return n, nil
			}
			if err != nil && !errors.Is(err, io.EOF) {
				return 0, err
			}
			if t.next != nil {
				_ = t.file.Close()
				t.file, t.next, t.at = t.next, nil, 0
				if t.last != '\n' && len(p) > 0 { // the old file's last line ends here
					t.last, p[0] = '\n', '\n'
					return 1, nil
				}
				continue
			}
		}
		if changed, err := t.look(); err != nil {
			return 0, err
		} else if changed {
			continue
		}
		select {
		case <-t.ctx.Done():
		case <-time.After(tailPoll):
		}
	}
	return 0, io.EOF
}

// look finds out whether the file is another or shorter.
func (t *Tail) look() (changed bool, err error) {
	now, err := os.Stat(t.path)
	if err != nil {
		return false, nil // between the two steps of a rotation, or not there yet
	}
	if t.file == nil {
		t.file, err = open(t.path)
		return t.file != nil, err
	}
	had, err := t.file.Stat()
	switch {
	case err != nil:
		return false, err
	case !os.SameFile(had, now):
		t.next, err = open(t.path)
		return t.next != nil, err
	case now.Size() < t.at:
		t.at, err = t.file.Seek(0, io.SeekStart)
		return true, err
	}
	return false, nil
}

// open opens the file, unless it went away meanwhile.
func open(path string) (*os.File, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // it will be looked for again
	}
	return f, err
}

// Close closes the file. The context must have ended, or Read returned.
func (t *Tail) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	var errs []error
	for _, f := range []*os.File{t.file, t.next} {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	return errors.Join(errs...)
}
