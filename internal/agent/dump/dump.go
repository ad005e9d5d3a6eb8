// Package dump prints HEP as JSON lines, from files, streams and sockets.
package dump

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"sync"
	"time"

	"github.com/heplake/heplake/ingest/hep"
	"github.com/heplake/heplake/ingest/listen"
	"github.com/heplake/heplake/internal/agent"
	"github.com/heplake/heplake/internal/agent/hepjson"
	"github.com/heplake/heplake/internal/pcap"
)

// ErrEnough tells that as many packets were printed as were asked for.
var ErrEnough = errors.New("enough")

// Printer prints packets, one JSON object a line: see package hepjson. A packet
// that does not decode is an object with error, offset and packet_base64. It is
// safe for concurrent use.
type Printer struct {
	// Pretty prints each object over several lines.
	Pretty bool
	// Count ends the printing after so many objects; 0 is all.
	Count int
	// Done, when set, is called once when Count is reached or the output fails.
	Done func()

	mu      sync.Mutex
	out     *bufio.Writer
	decoder hep.Decoder
	packet  hep.Packet
	line    []byte
	printed int
	err     error
}

// New returns a Printer to the writer.
func New(w io.Writer) *Printer { return &Printer{out: bufio.NewWriterSize(w, 64<<10)} }

// Printed is the number of objects printed.
func (p *Printer) Printed() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.printed
}

// Packets prints the packets of one read; it implements listen.Sink.
func (p *Printer) Packets(_ time.Time, packets []listen.Packet) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, in := range packets {
		p.print(in.Data, in.Fault)
	}
	p.flush()
}

// print prints one packet, or why it is none. The caller holds the lock.
func (p *Printer) print(b []byte, fault string) {
	if p.err != nil {
		return
	}
	p.line = p.line[:0]
	if fault != "" {
		p.line = hepjson.AppendError(p.line, fault, 0, b)
	} else if err := p.decoder.Decode(&p.packet, b); err != nil {
		reason, offset := err.Error(), 0
		if e, ok := errors.AsType[*hep.Error](err); ok {
			reason, offset = e.Reason, e.Offset
		}
		p.line = hepjson.AppendError(p.line, reason, offset, b)
	} else {
		p.line = hepjson.Append(p.line, &p.packet)
	}
	if p.Pretty {
		var buf bytes.Buffer
		if err := json.Indent(&buf, p.line, "", "  "); err == nil {
			p.line = append(p.line[:0], buf.Bytes()...)
		}
	}
	if _, err := p.out.Write(append(p.line, '\n')); err != nil {
		p.end(err)
		return
	}
	if p.printed++; p.printed == p.Count {
		p.end(ErrEnough)
	}
}

func (p *Printer) end(err error) {
	p.err = err
	if p.Done != nil {
		p.Done()
	}
}

func (p *Printer) flush() {
	if err := p.out.Flush(); err != nil && (p.err == nil || errors.Is(p.err, ErrEnough)) {
		p.end(err)
	}
}

// Err is why printing ended: ErrEnough, or that of the output; nil when it did
// not.
func (p *Printer) Err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// Read prints what a file holds: a capture with HEP in it, HEP version 3 one
// message behind the other, or one message of another version. The error is
// that of reading, or Err's.
func (p *Printer) Read(r io.Reader) error {
	br := bufio.NewReaderSize(r, 64<<10)
	head, err := br.Peek(4)
	if len(head) == 0 {
		if errors.Is(err, io.EOF) {
			return nil
		}
		return err
	}
	switch {
	case pcap.Is(head):
		err = p.capture(br)
	case framed(head):
		err = listen.ReadStream(stopper{br, p}, netip.AddrPort{}, p)
	default:
		err = p.single(br)
	}
	if perr := p.Err(); perr != nil {
		return perr
	}
	return err
}

// framed tells whether a stream may begin so: with version 3, or with garbage
// before it, but not with what can only be another version.
func framed(head []byte) bool {
	_, err := hep.FrameLength(head)
	const hep1, hep2, protobuf = 1, 2, 0x08
	return err == nil || head[0] != hep1 && head[0] != hep2 && head[0] != protobuf
}

// single prints a message of a version that has no length.
func (p *Printer) single(r io.Reader) error {
	b, err := io.ReadAll(io.LimitReader(r, listen.MaxDatagram+1))
	if err != nil {
		return err
	}
	if len(b) > listen.MaxDatagram {
		return fmt.Errorf("neither a capture nor HEP version 3, and too large for one packet of another version")
	}
	p.Packets(time.Time{}, []listen.Packet{{Data: b}})
	return nil
}

// capture prints the HEP in a capture file.
func (p *Printer) capture(r io.Reader) error {
	x := agent.NewExtractor(agent.Options{
		Packet: func(*hep.Packet) error { return nil }, // what is not HEP is not asked for
		HEP: func(b []byte, _ int64) error {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.print(b, "")
			return p.err
		},
	})
	err := pcap.Read(r, x.Payload)
	if ferr := x.Flush(); err == nil {
		err = ferr
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.flush()
	return err
}

// stopper ends a stream when printing has ended.
type stopper struct {
	io.Reader
	p *Printer
}

// Read implements io.Reader.
func (s stopper) Read(b []byte) (int, error) {
	if s.p.Err() != nil {
		return 0, io.EOF
	}
	return s.Reader.Read(b)
}
