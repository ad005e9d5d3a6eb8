package agent

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"regexp"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/heplake/heplake/ingest/hep"
)

// maxRecord bounds a log record in bytes: it must fit a HEP message, and a
// datagram, with its envelope. What is longer is cut.
const maxRecord = 60_000

// recordIdle is how long a record waits for lines that continue it.
const recordIdle = time.Second

// LogConfig says how log lines become HEP.
type LogConfig struct {
	// Send is given each record. The packet is the shipper's again when it returns.
	Send func(*hep.Packet) error
	// ID finds the correlation id: its first group, or the whole match without one.
	ID *regexp.Regexp
	// OnlyMatching leaves records without an id out.
	OnlyMatching bool
	// Start, when set, is what the first line of a record matches; other lines
	// continue the record before.
	Start *regexp.Regexp
	// Time finds the time as ID does the id, Layout reads it: a layout of package
	// time, or unix, unixms, rfc3339. A record without has the time of its reading.
	Time   *regexp.Regexp
	Layout string
	// Addr is the logging machine's address: source and destination.
	Addr netip.Addr
	// Type is the HEP protocol type; 0 is 100, log.
	Type      uint16
	CaptureID uint32
	Node, Key string
}

// LogStats are a LogShipper's figures.
type LogStats struct {
	// Records were shipped, WithoutID of them have no id; Skipped were left out
	// for want of one; Cut were longer than fits; Undated had no readable time.
	Records, WithoutID, Skipped, Cut, Undated uint64
}

// String is one line for people.
func (s LogStats) String() string {
	line := fmt.Sprintf("%d records", s.Records)
	for _, c := range []struct {
		n    uint64
		what string
	}{{s.WithoutID, "without id"}, {s.Skipped, "left out without id"}, {s.Cut, "cut"}, {s.Undated, "without readable time"}} {
		if c.n > 0 {
			line += fmt.Sprintf("; %d %s", c.n, c.what)
		}
	}
	return line
}

// LogShipper makes HEP of log lines. It is safe for concurrent use.
type LogShipper struct {
	cfg                                       LogConfig
	records, withoutID, skipped, cut, undated atomic.Uint64
}

// NewLogShipper checks the configuration. Its error names what is wrong.
func NewLogShipper(cfg LogConfig) (*LogShipper, error) {
	if (cfg.Time == nil) != (cfg.Layout == "") {
		return nil, errors.New("a time needs both: the regexp that finds it and the layout that reads it")
	}
	if cfg.Type == 0 {
		cfg.Type = hep.TypeLog
	}
	return &LogShipper{cfg: cfg}, nil
}

// Stats returns the figures of this moment.
func (l *LogShipper) Stats() LogStats {
	return LogStats{l.records.Load(), l.withoutID.Load(), l.skipped.Load(), l.cut.Load(), l.undated.Load()}
}

// Ship sends the records of r until it ends or ctx does. A reader that blocks
// is left behind when ctx ends.
func (l *LogShipper) Ship(ctx context.Context, r io.Reader) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	lines, readErr := make(chan logLine, 64), make(chan error, 1)
	go func() {
		defer close(lines)
		readErr <- readLines(r, func(line logLine) bool {
			select {
			case lines <- line:
				return true
			case <-ctx.Done():
				return false
			}
		})
	}()
	var record logLine
	open := false
	flush := func() error {
		if !open {
			return nil
		}
		open = false
		return l.ship(record)
	}
	idle := time.NewTimer(recordIdle)
	defer idle.Stop()
	for {
		select {
		case <-ctx.Done():
			return flush()
		case <-idle.C:
			if err := flush(); err != nil {
				return err
			}
		case line, more := <-lines:
			if !more {
				return errors.Join(flush(), <-readErr)
			}
			if open && l.cfg.Start != nil && !l.cfg.Start.Match(line.text) {
				record.join(line)
				idle.Reset(recordIdle)
				continue
			}
			if err := flush(); err != nil {
				return err
			}
			record, open = line, true
			if l.cfg.Start == nil {
				if err := flush(); err != nil {
					return err
				}
			}
			idle.Reset(recordIdle)
		}
	}
}

// logLine is a line without its end, or a record of several.
type logLine struct {
	text []byte
	cut  bool
	read time.Time // of its first line
}

// join adds a line to a record, within bounds.
func (l *logLine) join(next logLine) {
	l.cut = l.cut || next.cut
	l.text = append(append(l.text, '\n'), next.text...)
	if len(l.text) > maxRecord {
		l.text, l.cut = l.text[:maxRecord], true
	}
}

// readLines gives the lines of r to the function until it returns false.
func readLines(r io.Reader, give func(logLine) bool) error {
	br := bufio.NewReaderSize(r, maxRecord+2)
	for {
		b, err := br.ReadSlice('\n')
		line := logLine{text: bytes.TrimRight(b, "\r\n"), read: time.Now()}
		line.cut = len(line.text) > maxRecord
		line.text = bytes.Clone(line.text[:min(len(line.text), maxRecord)])
		for errors.Is(err, bufio.ErrBufferFull) { // the rest of it
			line.cut = true
			_, err = br.ReadSlice('\n')
		}
		if len(b) > 0 && !give(line) {
			return nil
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// ship sends a record. Blank ones are nothing.
func (l *LogShipper) ship(record logLine) error {
	if len(bytes.TrimSpace(record.text)) == 0 {
		return nil
	}
	id := found(l.cfg.ID, record.text)
	if len(id) == 0 && l.cfg.OnlyMatching {
		l.skipped.Add(1)
		return nil
	}
	l.records.Add(1)
	if len(id) == 0 {
		l.withoutID.Add(1)
	}
	if record.cut {
		l.cut.Add(1)
	}
	return l.cfg.Send(&hep.Packet{
		Protocol: hep.ProtocolUDP, Src: l.cfg.Addr, Dst: l.cfg.Addr, Time: l.timeOf(record).UnixMicro(), Type: l.cfg.Type,
		CaptureID: l.cfg.CaptureID, NodeName: []byte(l.cfg.Node), AuthKey: []byte(l.cfg.Key), CorrelationID: id, Payload: record.text,
		Has: hep.ChunkSet(0).With(hep.ChunkSrcPort, hep.ChunkDstPort),
	})
}

// found is the first group of the first match, or all of it.
func found(re *regexp.Regexp, text []byte) []byte {
	if re == nil {
		return nil
	}
	m := re.FindSubmatch(text)
	switch {
	case m == nil:
		return nil
	case len(m) > 1:
		return m[1]
	}
	return m[0]
}

// timeOf is the time written in the record, else that of its reading.
func (l *LogShipper) timeOf(record logLine) time.Time {
	if l.cfg.Time == nil {
		return record.read
	}
	if s := found(l.cfg.Time, record.text); s != nil {
		if t, err := parseTime(string(s), l.cfg.Layout, record.read); err == nil {
			return t
		}
	}
	l.undated.Add(1)
	return record.read
}

// parseTime reads a time, in the local zone where the text has none. A time
// without a year, as syslog's, is the last one before now.
func parseTime(text, layout string, now time.Time) (time.Time, error) {
	switch layout {
	case "unix", "unixms":
		v, err := strconv.ParseFloat(text, 64)
		if layout == "unix" {
			v *= 1000
		}
		return time.UnixMicro(int64(v * 1000)), err
	case "rfc3339":
		layout = time.RFC3339
	}
	t, err := time.ParseInLocation(layout, text, time.Local)
	if err == nil && t.Year() == 0 {
		t = t.AddDate(now.Year(), 0, 0)
		if t.After(now.AddDate(0, 0, 1)) {
			t = t.AddDate(-1, 0, 0)
		}
	}
	return t, err
}
