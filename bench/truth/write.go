package truth

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"time"
)

// Data are the packets' bytes, in order. They are the corpus's own.
func (c *Corpus) Data() [][]byte {
	out := make([][]byte, len(c.Packets))
	for i, p := range c.Packets {
		out[i] = p.Data
	}
	return out
}

// WriteHEP writes the packets one after the other, as they travel over TCP, in
// order of arrival.
func (c *Corpus) WriteHEP(w io.Writer) error {
	b := bufio.NewWriterSize(w, 1<<16)
	for i := range c.Packets {
		if _, err := b.Write(c.Packets[i].Data); err != nil {
			return fmt.Errorf("write packets: %w", err)
		}
	}
	return b.Flush()
}

// WriteTruth writes what happened as JSON.
func (c *Corpus) WriteTruth(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", " ")
	if err := e.Encode(c); err != nil {
		return fmt.Errorf("write truth: %w", err)
	}
	return nil
}

// Send sends the packets to a collector in order of arrival, by "tcp" or "udp",
// so many a second; 0 is as fast as they go.
func (c *Corpus) Send(proto, to string, rate float64) error {
	conn, err := net.Dial(proto, to)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	began := time.Now()
	for i := range c.Packets {
		if rate > 0 && i%32 == 0 {
			time.Sleep(time.Until(began.Add(time.Duration(float64(i) / rate * float64(time.Second)))))
		}
		if _, err := conn.Write(c.Packets[i].Data); err != nil {
			_ = conn.Close()
			return fmt.Errorf("send: %w", err)
		}
	}
	return conn.Close()
}
