package main

import (
	"bytes"
	"context"
	"flag"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/heplake/heplake/ingest/hep"
	"github.com/heplake/heplake/internal/captures"
)

var update = flag.Bool("update", false, "write the golden files anew")

// command runs heplake in this process, and returns what it printed.
func command(t *testing.T, ctx context.Context, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	streams := []**os.File{&os.Stdin, &os.Stdout, &os.Stderr}
	var was []*os.File
	for i, s := range streams {
		was = append(was, *s)
		f, err := os.CreateTemp(t.TempDir(), "")
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			if _, err := f.WriteString(stdin); err != nil {
				t.Fatal(err)
			}
			if _, err := f.Seek(0, io.SeekStart); err != nil {
				t.Fatal(err)
			}
		}
		*s = f
	}
	defer func() {
		for i, s := range streams {
			_ = (*s).Close()
			*s = was[i]
		}
	}()
	code = run(ctx, args)
	read := func(f *os.File) string {
		b, err := os.ReadFile(f.Name())
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	return code, read(os.Stdout), read(os.Stderr)
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (run with -update and look at what it writes)", err)
	}
	if got != string(want) {
		t.Errorf("%s has changed; run with -update and look at it. Written now:\n%s", path, got)
	}
}

func TestHelpOfAgentCommands(t *testing.T) {
	for _, name := range []string{"replay", "capture", "pipe", "decode"} {
		code, out, stderr := command(t, t.Context(), "", name, "--help")
		if code != exitFound || stderr != "" {
			t.Errorf("%s: code %d, %s", name, code, stderr)
		}
		golden(t, "help-"+name+".txt", out)
	}
}

// sinkhole is a UDP collector.
func sinkhole(t *testing.T) (addr string, next func() *hep.Packet) {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.(*net.UDPConn).SetReadBuffer(4 << 20)
	t.Cleanup(func() { _ = conn.Close() })
	return conn.LocalAddr().String(), func() *hep.Packet {
		t.Helper()
		buf := make([]byte, 64<<10)
		_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		n, _, err := conn.ReadFrom(buf)
		if err != nil {
			t.Fatal(err)
		}
		var d hep.Decoder
		p := &hep.Packet{}
		if err := d.Decode(p, buf[:n]); err != nil {
			t.Fatal(err)
		}
		return p
	}
}

func TestExitCodesOfAgentCommands(t *testing.T) {
	addr, _ := sinkhole(t)
	sip := captures.Path("kamailio-hep3-udp-sip-failures-a.sip.pcap")
	hepFile := captures.Path("kamailio-hep3-udp-sip-calls-a.pcap")
	empty := filepath.Join(t.TempDir(), "empty.pcap")
	whole, err := os.ReadFile(sip)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(empty, whole[:24], 0o600); err != nil {
		t.Fatal(err)
	}
	notCapture := captures.Path("kamailio-hep3-udp-sip-calls-a.truth.jsonl")
	for _, c := range []struct {
		name, stdin string
		args        []string
		code        int
		stdout      string
		stderr      string
	}{
		{"replay", "", []string{"replay", hepFile, "--to", addr}, 0, "sent 126 packets to " + addr + " by udp in", ""},
		{"replay quietly", "", []string{"replay", hepFile, "--to", addr, "-q"}, 0, "", ""},
		{"replay of nothing", "", []string{"replay", empty, "--to", addr}, 3, "sent 0 packets", "heplake: nothing found to send: no HEP, SIP or RTCP in " + empty},
		{"replay to nowhere", "", []string{"replay", hepFile, "--to", "nowhere"}, 1, "", `heplake: the collector is given as HOST:PORT, not "nowhere"`},
		{"replay of no capture", "", []string{"replay", notCapture, "--to", addr}, 1, "", "heplake: " + notCapture + ": neither pcap nor pcapng"},

		{"capture", "", []string{"capture", "--read", sip, "--to", addr}, 0, "112 frames: 112 SIP, 0 RTCP; sent 112 packets", ""},
		{"capture some", "", []string{"capture", "--read", sip, "--to", addr, "--filter", "port 5070"}, 0, "filtered out", ""},
		{"capture standard input", string(whole), []string{"capture", "--read", "-", "--to", addr}, 0, "112 SIP", ""},
		{"capture nothing", "", []string{"capture", "--read", empty, "--to", addr}, 3, "", "heplake: nothing found: no SIP or RTCP in " + empty},
		{"capture only HEP", "", []string{"capture", "--read", hepFile, "--to", addr}, 3, "126 HEP, not captured again", "heplake: nothing found"},
		{"capture of nothing at all", "", []string{"capture", "--to", addr}, 1, "", "heplake: one of --interface and --read says where to capture from"},
		{"capture with a bad filter", "", []string{"capture", "--read", sip, "--to", addr, "--filter", "prot 1"}, 1, "", `heplake: --filter: filter: expected host, net,`},
		{"capture of a bad port", "", []string{"capture", "--read", sip, "--to", addr, "--ports", "70000"}, 1, "", "heplake: --ports takes ports, not 70000"},
		{"capture of RTCP in another form", "", []string{"capture", "--read", sip, "--to", addr, "--rtcp", "xml"}, 1, "", `heplake: --rtcp takes json or binary, not "xml"`},
		{"capture from no interface", "", []string{"capture", "--interface", "no-such0", "--to", addr}, 1, "", "heplake: interface no-such0: there is none of this name; there are "},
		{"capture to nowhere", "", []string{"capture", "--read", sip}, 1, "", `heplake: required flag(s) "to" not set`},
		{"capture by pigeon", "", []string{"capture", "--read", sip, "--to", addr, "--proto", "pigeon"}, 1, "", `heplake: proto takes udp, tcp or tls, not "pigeon"`},

		{"pipe", "a id=1 b\nc\n", []string{"pipe", "--to", addr, "--id", `id=(\d+)`}, 0, "2 records; 1 without id; sent 2 packets", ""},
		{"pipe nothing", "\n\n", []string{"pipe", "--to", addr}, 3, "0 records; sent 0 packets", "heplake: nothing found to ship"},
		{"pipe with a bad regexp", "", []string{"pipe", "--to", addr, "--id", "("}, 1, "", "heplake: --id: error parsing regexp"},
		{"pipe without what to match", "", []string{"pipe", "--to", addr, "--only-matching"}, 1, "", "heplake: --only-matching needs --id"},
		{"pipe a time without layout", "", []string{"pipe", "--to", addr, "--time-regexp", "x"}, 1, "", "heplake: a time needs both"},
		{"pipe from a bad address", "", []string{"pipe", "--to", addr, "--address", "here"}, 1, "", `heplake: --address takes an IP address, not "here"`},
		{"follow standard input", "", []string{"pipe", "--to", addr, "--follow"}, 1, "", "heplake: --follow takes files"},
		{"pipe a missing file", "", []string{"pipe", "no-such.log", "--to", addr}, 1, "", "heplake: open no-such.log: no such file"},

		{"decode", "", []string{"decode", hepFile, "--count", "1"}, 0, `{"rcinfo":{"protocolFamily":2,`, ""},
		{"decode standard input", string(hep.Append(nil, &hep.Packet{Type: 1, Payload: []byte("x")})), []string{"decode"}, 0, `"payload":"x","variant":"hep3"}`, ""},
		{"decode what is broken", "HEP3\x00\x10", []string{"decode", "-"}, 0, `{"error":"truncated","offset":0,"packet_base64":"SEVQMwAQ"}`, ""},
		{"decode nothing", "", []string{"decode", sip}, 3, "", "heplake: nothing found: no HEP in " + sip},
		{"decode a missing file", "", []string{"decode", "no-such.pcap"}, 1, "", "heplake: open no-such.pcap: no such file or directory"},
		{"decode from a bad socket", "", []string{"decode", "--listen", "sctp:1"}, 1, "", `heplake: --listen takes udp:HOST:PORT or tcp:HOST:PORT, not "sctp:1"`},
		{"decode both", "", []string{"decode", sip, "--listen", "udp::0"}, 1, "", "heplake: either files or --listen, not both"},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, stdout, stderr := command(t, t.Context(), c.stdin, c.args...)
			if code != c.code || !strings.Contains(stdout, c.stdout) || !strings.HasPrefix(stderr, c.stderr) {
				t.Errorf("code %d, want %d\nstdout: %.300s\nwant:   %s\nstderr: %s\nwant:   %s", code, c.code, stdout, c.stdout, stderr, c.stderr)
			}
			if lines := strings.Count(stderr, "\n"); code != exitFound && lines != 1 || code == exitFound && lines != 0 {
				t.Errorf("%d lines on stderr: %s", lines, stderr)
			}
		})
	}
}

func TestPipeShipsWhatHepipeDoes(t *testing.T) {
	addr, next := sinkhole(t)
	code, _, stderr := command(t, t.Context(), "2026-03-04T05:06:07Z callid=a@b INVITE came\n  from far\n2026-03-04T05:06:08Z no call\n", "pipe", "--to", addr,
		"--id", `callid=(\S+)`, "--start", `^\d{4}-`, "--time-regexp", `^\S+`, "--time-layout", "rfc3339",
		"--node", "pbx", "--capture-id", "77", "--key", "secret", "--address", "192.0.2.7")
	if code != 0 {
		t.Fatal(stderr)
	}
	p := next()
	if p.Type != hep.TypeLog || string(p.CorrelationID) != "a@b" || string(p.Payload) != "2026-03-04T05:06:07Z callid=a@b INVITE came\n  from far" ||
		p.Time != time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC).UnixMicro() || string(p.NodeName) != "pbx" || p.CaptureID != 77 ||
		string(p.AuthKey) != "secret" || p.Src.String() != "192.0.2.7" {
		t.Errorf("%+v", p)
	}
	if p := next(); len(p.CorrelationID) != 0 {
		t.Errorf("%+v", p)
	}
}

func TestPipeFollowsUntilInterrupted(t *testing.T) {
	addr, next := sinkhole(t)
	path := filepath.Join(t.TempDir(), "app.log")
	if err := os.WriteFile(path, []byte("id=1 already there\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, interrupt := context.WithCancel(t.Context())
	done := make(chan string)
	go func() {
		code, stdout, stderr := command(t, ctx, "", "pipe", path, "--follow", "--from-start", "--to", addr, "--id", `id=(\d)`)
		if code != 0 {
			stdout += stderr
		}
		done <- stdout
	}()
	if p := next(); string(p.CorrelationID) != "1" {
		t.Errorf("%+v", p)
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if _, err := f.WriteString("id=2 new\n"); err != nil {
		t.Fatal(err)
	}
	if p := next(); string(p.Payload) != "id=2 new" {
		t.Errorf("%+v", p)
	}
	interrupt()
	if out := <-done; !strings.HasPrefix(out, "2 records; sent 2 packets") {
		t.Errorf("%s", out)
	}
}

func TestCaptureSendsRTCPAsJSON(t *testing.T) {
	addr, next := sinkhole(t)
	path := captures.Path("rtpengine-kamailio-hep3-udp-call-with-rtcp-a.sip-rtcp.pcap")
	code, stdout, stderr := command(t, t.Context(), "", "capture", "--read", path, "--to", addr)
	if code != 0 || !strings.HasPrefix(stdout, "73 frames: 29 SIP, 15 RTCP; 29 HEP, not captured again; sent 44 packets") {
		t.Fatalf("%s%s", stdout, stderr)
	}
	inJSON := 0
	for range 44 {
		if p := next(); p.Type == hep.TypeRTCP && bytes.HasPrefix(p.Payload, []byte(`{"sender_information":`)) && len(p.CorrelationID) > 0 {
			inJSON++
		}
	}
	if inJSON < 5 {
		t.Errorf("%d RTCP packets in JSON", inJSON)
	}
}

func TestDecodeFromASocket(t *testing.T) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := conn.LocalAddr().String()
	_ = conn.Close()
	stop := make(chan struct{})
	defer close(stop)
	go func() { // until it listens
		message := hep.Append(nil, &hep.Packet{Type: 100, Payload: []byte("hello")})
		c, err := net.Dial("udp", addr)
		if err != nil {
			return
		}
		for {
			_, _ = c.Write(message)
			select {
			case <-stop:
				_ = c.Close()
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	code, stdout, stderr := command(t, t.Context(), "", "decode", "--listen", "udp:"+addr, "--count", "2")
	if code != 0 || strings.Count(stdout, `"payload":"hello"`) != 2 || !strings.HasPrefix(stderr, "listening on udp "+addr) {
		t.Errorf("code %d\n%s%s", code, stdout, stderr)
	}
}
