package dump_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/heplake/heplake/ingest/hep"
	"github.com/heplake/heplake/ingest/listen"
	"github.com/heplake/heplake/internal/agent/dump"
	"github.com/heplake/heplake/internal/captures"
)

type object struct {
	Info    map[string]any `json:"rcinfo"`
	Payload string         `json:"payload"`
	Bytes   []byte         `json:"payload_base64"`
	Variant string         `json:"variant"`
	Error   string         `json:"error"`
	Offset  int            `json:"offset"`
	Packet  []byte         `json:"packet_base64"`
}

func objects(t *testing.T, out []byte) (list []object) {
	t.Helper()
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var o object
		err := dec.Decode(&o)
		if errors.Is(err, io.EOF) {
			return list
		}
		if err != nil {
			t.Fatalf("%v in %.300s", err, out)
		}
		list = append(list, o)
	}
}

func decode(t *testing.T, in io.Reader) []object {
	t.Helper()
	var out bytes.Buffer
	p := dump.New(&out)
	if err := p.Read(in); err != nil {
		t.Fatal(err)
	}
	list := objects(t, out.Bytes())
	if len(list) != p.Printed() || len(list) != bytes.Count(out.Bytes(), []byte("\n")) {
		t.Errorf("%d objects in %d lines, counted %d", len(list), bytes.Count(out.Bytes(), []byte("\n")), p.Printed())
	}
	return list
}

func open(t *testing.T, path string) *os.File {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// As many packets as Wireshark counts; see the captures' list.
func TestCaptures(t *testing.T) {
	for name, want := range map[string]struct {
		n       int
		variant string
	}{
		"kamailio-hep3-udp-sip-calls-a": {126, "hep3"},
		"kamailio-hep1-udp-a":           {47, "hep1"},
		"kamailio-hep2-sip-ipv6-a":      {39, "hep2"},
		"kamailio-hep3-tcp-a":           {138, "hep3"},
		"opensips-hep3-tcp-sip-xlog-a":  {40, "hep3"},
		"heplify-hep3-udp-nested-hep-a": {58, "hep3"},
	} {
		got := decode(t, open(t, captures.Path(name+".pcap")))
		if len(got) != want.n {
			t.Errorf("%s: %d packets, want %d", name, len(got), want.n)
		}
		for _, o := range got {
			if o.Variant != want.variant || o.Error != "" || o.Payload == "" && len(o.Bytes) == 0 || o.Info["srcIp"] == nil || o.Info["payloadType"] == nil {
				t.Fatalf("%s: %+v", name, o)
			}
		}
	}
}

func TestPublishedCompressedCapture(t *testing.T) {
	got := decode(t, open(t, captures.Public(t, "hep-wireshark-hep3_compressed.pcap"))) // Linux cooked
	if len(got) == 0 {
		t.Fatal("nothing decoded")
	}
	for _, o := range got {
		if o.Error != "" || o.Payload == "" {
			t.Errorf("%+v", o)
		}
	}
}

func TestPublishedCapture(t *testing.T) {
	if got := decode(t, open(t, captures.Public(t, "hep-wireshark-hep.pcap"))); len(got) != 8 {
		t.Errorf("%d packets, want 8", len(got))
	}
}

// stream is real HEP, one message behind the other.
func stream(t *testing.T) (all []byte, messages [][]byte) {
	t.Helper()
	for _, p := range captures.Read(t, captures.Path("kamailio-hep3-udp-sip-calls-a.pcap"))[:20] {
		messages = append(messages, p.Payload)
		all = append(all, p.Payload...)
	}
	return all, messages
}

func TestStreams(t *testing.T) {
	all, messages := stream(t)
	for name, r := range map[string]io.Reader{"at once": bytes.NewReader(all), "byte by byte": iotest.OneByteReader(bytes.NewReader(all))} {
		if got := decode(t, r); len(got) != len(messages) || got[0].Variant != "hep3" {
			t.Errorf("%s: %d objects, want %d", name, len(got), len(messages))
		}
	}
	// Garbage between messages, one that is broken, and one that is cut: each is
	// told, and the others are printed.
	bad := slices.Clone(messages[1])
	bad[17], bad[18] = 0, 3 // the second chunk is shorter than its header
	cut := messages[3][:len(messages[3])-9]
	got := decode(t, bytes.NewReader(slices.Concat(messages[0], []byte("garbage!"), bad, messages[2], cut)))
	var told []string
	for _, o := range got {
		told = append(told, o.Variant+o.Error)
	}
	if want := "hep3 bad_frame chunk_length hep3 truncated"; strings.Join(told, " ") != want {
		t.Errorf("%s, want %s", strings.Join(told, " "), want)
	}
	if string(got[1].Packet) != "garbage!" || got[2].Offset != 13 || !bytes.Equal(got[2].Packet, bad) || !bytes.Equal(got[4].Packet, cut) {
		t.Errorf("%+v", got)
	}
	if got := decode(t, strings.NewReader("")); len(got) != 0 {
		t.Errorf("nothing gives %v", got)
	}
	if got := decode(t, strings.NewReader("x")); len(got) != 1 || got[0].Error != "bad_frame" {
		t.Errorf("one byte gives %v", got)
	}
}

func TestOneMessageOfAnotherVersion(t *testing.T) {
	for name, variant := range map[string]string{"kamailio-hep1-udp-a": "hep1", "sngrep-hep2-udp-calls-a": "hep2"} {
		message := captures.Read(t, captures.Path(name+".pcap"))[0].Payload
		if got := decode(t, bytes.NewReader(message)); len(got) != 1 || got[0].Variant != variant {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if err := dump.New(io.Discard).Read(io.MultiReader(strings.NewReader("\x01"), bytes.NewReader(make([]byte, 1<<17)))); err == nil {
		t.Error("any amount of bytes is taken for one packet")
	}
}

func TestCountAndPretty(t *testing.T) {
	all, _ := stream(t)
	for _, in := range []io.Reader{bytes.NewReader(all), open(t, captures.Path("kamailio-hep3-udp-sip-calls-a.pcap"))} {
		var out bytes.Buffer
		done := 0
		p := dump.New(&out)
		p.Pretty, p.Count, p.Done = true, 3, func() { done++ }
		if err := p.Read(in); !errors.Is(err, dump.ErrEnough) {
			t.Errorf("error %v", err)
		}
		if n := len(objects(t, out.Bytes())); n != 3 || done != 1 {
			t.Errorf("%d objects, told %d times", n, done)
		}
		if !strings.HasPrefix(out.String(), "{\n  \"rcinfo\": {\n    \"protocolFamily\": 2,\n") {
			t.Errorf("%.60s", out.String())
		}
	}
}

type full struct{}

var errFull = errors.New("disk full")

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestOutputThatFails(t *testing.T) {
	all, _ := stream(t)
	if err := dump.New(full{}).Read(bytes.NewReader(all)); !errors.Is(err, errFull) {
		t.Errorf("error %v", err)
	}
}

// sink keeps what a listener gave.
type sink struct {
	mu  sync.Mutex
	got [][]byte
}

func (s *sink) Packets(_ time.Time, packets []listen.Packet) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range packets {
		if p.Fault == "" {
			s.got = append(s.got, bytes.Clone(p.Data))
		}
	}
}

// What is printed goes back in by HTTP, as `decode | curl` does, and says the
// same when it is printed again.
func TestHTTPListenerTakesItBack(t *testing.T) {
	for _, name := range []string{"kamailio-hep3-udp-sip-calls-a", "hepjs-hep3-udp-sip-rtcp-qos-log-a", "heplify-hep3-udp-sip-rtcp-a", "captagent-hep3-udp-live-sip-rtcp-a"} {
		var printed bytes.Buffer
		if err := dump.New(&printed).Read(open(t, captures.Path(name+".pcap"))); err != nil {
			t.Fatal(err)
		}
		s := &sink{}
		l, err := listen.ListenHTTP(t.Context(), listen.HTTPConfig{StreamConfig: listen.StreamConfig{Addr: "127.0.0.1:0", MaxConns: 4}, MaxBody: 16 << 20}, []listen.Sink{s})
		if err != nil {
			t.Fatal(err)
		}
		l.Start()
		resp, err := http.Post("http://"+l.Addr().String()+"/", "application/json", bytes.NewReader(printed.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		var again bytes.Buffer
		if err := dump.New(&again).Read(bytes.NewReader(slices.Concat(s.got...))); err != nil {
			t.Fatal(err)
		}
		a, b := bufio.NewScanner(&printed), bufio.NewScanner(&again)
		a.Buffer(nil, 1<<20)
		b.Buffer(nil, 1<<20)
		n := 0
		for a.Scan() {
			if !b.Scan() || a.Text() != b.Text() {
				t.Fatalf("%s: line %d\n%s\nwant\n%s", name, n, b.Text(), a.Text())
			}
			n++
		}
		if resp.StatusCode != http.StatusOK || n < 30 || b.Scan() {
			t.Errorf("%s: status %d, %d lines", name, resp.StatusCode, n)
		}
	}
}

func TestFromASocket(t *testing.T) {
	_, messages := stream(t)
	var out bytes.Buffer
	p := dump.New(&out)
	ctx, enough := context.WithTimeout(t.Context(), 20*time.Second)
	defer enough()
	p.Count, p.Done = 3, enough
	l, err := listen.ListenUDP(ctx, listen.UDPConfig{Addr: "127.0.0.1:0"}, []listen.Sink{p})
	if err != nil {
		t.Fatal(err)
	}
	l.Start()
	conn, err := net.Dial("udp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	for _, m := range [][]byte{messages[0], []byte("x"), messages[1], messages[2]} {
		if _, err := conn.Write(m); err != nil {
			t.Fatal(err)
		}
	}
	<-ctx.Done()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	got := objects(t, out.Bytes())
	if len(got) != 3 || got[1].Error != hep.ReasonBadMagic || string(got[1].Packet) != "x" {
		t.Errorf("%+v", got)
	}
}
