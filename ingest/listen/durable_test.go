package listen

import (
	"bytes"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// ledger is a Durable sink that says when something is safe by hand.
type ledger struct {
	collector
	once  sync.Once
	asked chan struct{} // closed when somebody waits
	safe  chan struct{} // closed when all is
	fault error
	marks []Mark
}

func newLedger() *ledger { return &ledger{asked: make(chan struct{}), safe: make(chan struct{})} }

func (l *ledger) Mark() Mark {
	l.mu.Lock()
	defer l.mu.Unlock()
	return Mark(len(l.got))
}

func (l *ledger) Spooled(since Mark) error {
	l.mu.Lock()
	l.marks = append(l.marks, since)
	l.mu.Unlock()
	l.once.Do(func() { close(l.asked) })
	<-l.safe
	return l.fault
}

// TestAPOSTIsAnsweredWhenItIsSafe, and refused when it is not.
func TestAPOSTIsAnsweredWhenItIsSafe(t *testing.T) {
	for _, c := range []struct {
		fault error
		want  int
	}{{nil, http.StatusOK}, {errors.New("the disk refuses"), http.StatusServiceUnavailable}} {
		l := newLedger()
		l.fault = c.fault
		h := startHTTP(t, StreamConfig{Durable: true}, 1<<20, l)
		answered := make(chan *http.Response, 1)
		go func() {
			resp, err := http.Post("http://"+h.Addr().String()+"/", "application/octet-stream", bytes.NewReader(bytes.Join(real(t), nil)))
			if err != nil {
				t.Error(err)
			}
			answered <- resp
		}()
		<-l.asked
		select {
		case <-answered:
			t.Fatal("answered before it was safe")
		case <-time.After(50 * time.Millisecond):
		}
		if len(l.got) != len(real(t)) || l.marks[0] != 0 {
			t.Errorf("%d packets handed over before the wait, since mark %d", len(l.got), l.marks[0])
		}
		close(l.safe)
		resp := <-answered
		var body bytes.Buffer
		_, _ = body.ReadFrom(resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != c.want || c.fault != nil && !strings.Contains(body.String(), c.fault.Error()) {
			t.Errorf("%d %s, want %d", resp.StatusCode, body.String(), c.want)
		}
	}
}

// TestADurableStreamIsReadNoFurtherThanItsWindow: a sender gets no more than
// that, and what the sockets' buffers hold, ahead of the spool.
func TestADurableStreamIsReadNoFurtherThanItsWindow(t *testing.T) {
	l := newLedger()
	s := startStream(t, StreamConfig{Durable: true}, l)
	conn := dial(t, s.Addr())
	msg := real(t)[0]
	const sent = 4 * windowBytes
	go func() {
		block := bytes.Repeat(msg, 1+(1<<16)/len(msg))
		for n := 0; n < sent; n += len(block) {
			if _, err := conn.Write(block); err != nil {
				return
			}
		}
		_ = conn.Close()
	}()
	<-l.asked
	time.Sleep(50 * time.Millisecond)
	l.mu.Lock()
	n := len(l.got) * len(msg)
	l.mu.Unlock()
	if n < windowBytes || n > windowBytes+streamBuffer {
		t.Errorf("%d bytes were taken before any was safe, the window is %d", n, windowBytes)
	}
	close(l.safe)
	l.wait(t, sent/len(msg))
	if len(l.marks) < 3 {
		t.Errorf("asked only %d times", len(l.marks))
	}
}
