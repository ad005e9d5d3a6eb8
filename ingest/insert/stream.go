package insert

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/heplake/heplake/ingest/batch"
)

// open returns the batch's stream from its start.
func open(b batch.Sealed) (io.ReadCloser, error) {
	if b.File.Path == "" {
		loaded, err := b.Load()
		return io.NopCloser(bytes.NewReader(loaded.Body)), err
	}
	return openFile(b.File)
}

// fileStream is an open file that stands where the stream begins.
type fileStream struct {
	*os.File
	of batch.File
}

func openFile(of batch.File) (*fileStream, error) {
	f, err := os.Open(of.Path)
	if err != nil {
		return nil, err
	}
	if _, err := f.Seek(of.Offset, io.SeekStart); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("%s: %w", of.Path, err)
	}
	return &fileStream{f, of}, nil
}

// Transport makes the connection's transport send files by the kernel: a
// request whose length is known, with the file itself as its body, goes out by
// sendfile(2), from the page cache and without a copy through this process. It
// is a clickhouse.Options.TransportFunc; an Inserter works without it as well.
func Transport(t *http.Transport) (http.RoundTripper, error) { return fileTransport{t}, nil }

type fileTransport struct{ *http.Transport }

// RoundTrip implements http.RoundTripper.
func (t fileTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	if s, ok := req.Body.(*fileStream); ok {
		known := *req
		known.Body, known.ContentLength = s.File, s.of.Size
		known.GetBody = func() (io.ReadCloser, error) { // for a connection that was closed while idle
			again, err := openFile(s.of)
			if err != nil {
				return nil, err
			}
			return again.File, nil
		}
		req = &known
	}
	return t.Transport.RoundTrip(req)
}
