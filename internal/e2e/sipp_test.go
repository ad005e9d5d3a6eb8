package e2e

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/heplake/heplake/internal/captures"
)

var sprintf = fmt.Sprintf

// proxy is a Kamailio that runs deploy/kamailio/kamailio.cfg.
type proxy struct {
	*process
	port int
}

// kamailio starts the proxy. Each define is one of its configuration's:
// NAME or NAME=VALUE.
func kamailio(t *testing.T, defines ...string) *proxy {
	t.Helper()
	return kamailioOf(t, filepath.Join("deploy", "kamailio", "kamailio.cfg"), defines...)
}

// kamailioOf starts a proxy of another configuration of this repository.
func kamailioOf(t *testing.T, config string, defines ...string) *proxy {
	t.Helper()
	program := need(t, "kamailio")
	p := &proxy{port: freePort(t)}
	at := sprintf("127.0.0.1:%d", p.port)
	args := []string{
		"-f", filepath.Join(captures.Root(), config), "-DD", "-E", "-m", "64", "-M", "8", "-Y", t.TempDir(),
		"-A", "LISTEN_UDP=udp:" + at, "-A", "LISTEN_TCP=tcp:" + at,
	}
	for _, d := range defines {
		args = append(args, "-A", d)
	}
	p.process = start(t, os.Environ(), program, args...)
	eventually(t, "Kamailio listens", func() (bool, string) {
		if p.ended() {
			t.Fatalf("Kamailio ended: %v\n%s", p.err, p.said())
		}
		return udpBound(p.port) && tcpBound(p.port), string(p.said())
	})
	return p
}

// stop ends the proxy, which sends what it still has to report.
func (p *proxy) stop() {
	p.t.Helper()
	p.signal(syscall.SIGTERM)
	p.wait(patience)
}

// calls are what a pair of sipp does by way of a proxy.
type calls struct {
	proxy *proxy
	// tcp: SIP over TCP, else UDP.
	tcp bool
	// id begins every Call-ID.
	id string
	// n calls, half of them refused as busy.
	n int
	// hold is how long an answered call lasts.
	hold time.Duration
	// rtp is the port of the caller's media; the called one's is two further.
	rtp int
}

// users are the calls of one round: who calls whom.
const users = "SEQUENTIAL\nalice;bob\ncarol;busy\n"

// placed are calls under way.
type placed struct {
	t              *testing.T
	caller, called *process
	logs           [2]string
}

// place starts sipp at both ends.
func (c calls) place(t *testing.T) *placed {
	t.Helper()
	program := need(t, "sipp")
	scenario := func(name string) string {
		return filepath.Join(captures.Root(), "internal", "e2e", "testdata", name)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "users.csv"), []byte(users), 0o600); err != nil {
		t.Fatal(err)
	}
	transport := "u1"
	if c.tcp {
		transport = "t1"
	}
	p := &placed{t: t, logs: [2]string{filepath.Join(dir, "caller.msg"), filepath.Join(dir, "called.msg")}}
	side := func(log int, port, rtp int, more ...string) *process {
		args := []string{
			"-i", "127.0.0.1", "-p", strconv.Itoa(port), "-t", transport, "-m", strconv.Itoa(c.n), "-nostdin",
			"-timeout", "30", "-timeout_error", "-trace_msg", "-message_file", p.logs[log],
			"-key", "rtp", strconv.Itoa(rtp), "-cp", strconv.Itoa(freePort(t)),
		}
		return start(t, os.Environ(), program, append(args, more...)...)
	}
	ports := freePorts(t, 2)
	uas, uac := ports, ports+1
	p.called = side(1, uas, c.rtp+2, "-sf", scenario("uas.xml"))
	eventually(t, "the called sipp listens", func() (bool, string) {
		if p.called.ended() {
			t.Fatalf("sipp ended: %v\n%s", p.called.err, p.called.said())
		}
		if c.tcp {
			return tcpBound(uas), ""
		}
		return udpBound(uas), ""
	})
	p.caller = side(0, uac, c.rtp, "-sf", scenario("uac.xml"), "-inf", filepath.Join(dir, "users.csv"), "-r", "20",
		"-d", strconv.FormatInt(c.hold.Milliseconds(), 10), "-cid_str", c.id+"-%u-%p@%s", "-key", "uas", sprintf("127.0.0.1:%d", uas),
		sprintf("127.0.0.1:%d", c.proxy.port))
	return p
}

// finish waits for the end of the calls, all of which must have gone as their
// scenario wants, and returns the messages that both ends sent and received:
// those that the proxy received and sent.
func (p *placed) finish() map[string]int {
	p.t.Helper()
	p.caller.wait(patience)
	p.called.wait(patience)
	messages := map[string]int{}
	for _, log := range p.logs {
		readMessages(p.t, log, messages)
	}
	return messages
}

// logged begins a message in sipp's message log; the message is as long as it says.
var logged = regexp.MustCompile(`(?m)^(?:UDP|TCP) message (?:sent \((\d+) bytes\):|received \[(\d+)\] bytes :)\n\n`)

func readMessages(t *testing.T, log string, into map[string]int) {
	t.Helper()
	b, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for {
		m := logged.FindSubmatchIndex(b)
		if m == nil {
			break
		}
		digits := b[max(m[2], m[4]):max(m[3], m[5])]
		n, err := strconv.Atoi(string(digits))
		if err != nil || len(b) < m[1]+n {
			t.Fatalf("%s: a message of %q bytes", log, digits)
		}
		into[string(b[m[1]:m[1]+n])]++
		found++
		b = b[m[1]+n:]
	}
	if found == 0 || bytes.Contains(b, []byte(" message ")) {
		t.Fatalf("%s: messages found: %d; not understood: %.200s", log, found, b)
	}
}
