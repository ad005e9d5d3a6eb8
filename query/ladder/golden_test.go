package ladder_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/heplake/heplake/query"
	"github.com/heplake/heplake/query/ladder"
	"github.com/heplake/heplake/query/ladder/testflow"
)

var update = flag.Bool("update", false, "write the golden files anew")

// scene is a call of a real capture.
type scene struct {
	name, capture string
	callIDs       []string
}

var scenes = []scene{
	{"busy", "kamailio-hep3-udp-sip-failures-a", []string{"1-15155@127.0.0.1"}},
	{"cancel", "kamailio-hep3-udp-sip-failures-a", []string{"1-15165@127.0.0.1"}},
	{"no-answer", "kamailio-hep3-udp-sip-failures-a", []string{"1-15168@127.0.0.1"}},
	{"fork", "kamailio-hep3-udp-sip-failures-a", []string{"1-15171@127.0.0.1"}},
	{"two-legs", "kamailio-hep3-two-legs-topoh-xcid-a", []string{"1-16207@127.0.0.1", "!!:hmx*"}},
	{"b2bua", "sngrep-hep3-udp-b2bua-two-callids-xcid-a", []string{"1-16637@127.0.0.1", "B2B.282.4935033*"}},
	{"b2bua-busy", "sngrep-hep3-udp-b2bua-two-callids-xcid-a", []string{"1-16639@127.0.0.1", "B2B.282.3534782*"}},
	{"two-legs-busy", "kamailio-hep3-two-legs-topoh-xcid-a", []string{"1-16210@127.0.0.1", "!!:hmx-B7.-h86*"}},
	{"reinvite", "kamailio-hep3-udp-sip-reinvite-prack-refer-subscribe-407-a", []string{"1-15408@127.0.0.1"}},
	{"retransmissions", "kamailio-hep3-udp-sip-loss-retransmissions-a", []string{"1-15444@127.0.0.1"}},
	{"rtcp", "rtpengine-kamailio-hep3-udp-call-with-rtcp-a", []string{"c5b45d0d88c546cc"}},
	{"ipv6", "sngrep-hep3-udp-sip-ipv6-a", []string{"1-15950@::1"}},
	{"xlog", "opensips-hep3-udp-sip-xlog-a", []string{"1-15777@127.0.0.1"}},
}

func (s scene) load(t testing.TB) *query.Flow { return testflow.Load(t, s.capture, s.callIDs...) }

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	goldenFile(t, filepath.Join("testdata", name), got)
}

func goldenFile(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (run with -update and look at what it draws)", err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s has changed; run with -update and look at it. Drawn now:\n%s", path, got)
	}
}

func draw(t testing.TB, f *query.Flow, o ladder.TextOptions) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := ladder.Text(&b, f, o); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestTextGolden(t *testing.T) {
	for _, s := range scenes {
		t.Run(s.name, func(t *testing.T) {
			f := s.load(t)
			for _, w := range []int{60, 80, 120, 200} {
				golden(t, fmt.Sprintf("%s-%d.txt", s.name, w), draw(t, f, ladder.TextOptions{Width: w}))
			}
		})
	}
	for _, s := range scenes {
		if s.name != "no-answer" && s.name != "retransmissions" && s.name != "b2bua-busy" {
			continue
		}
		f := s.load(t)
		f.Analyse()
		for _, w := range []int{60, 80, 120, 200} {
			golden(t, fmt.Sprintf("%s-found-%d.txt", s.name, w), draw(t, f, ladder.TextOptions{Width: w}))
		}
	}
	f := scenes[4].load(t)
	golden(t, "two-legs-120-color.txt", draw(t, f, ladder.TextOptions{Width: 120, Color: true}))
	golden(t, "two-legs-120-ascii.txt", draw(t, f, ladder.TextOptions{Width: 120, ASCII: true}))
	golden(t, "busy-100-raw.txt", draw(t, scenes[0].load(t), ladder.TextOptions{Width: 100, Raw: true}))
	golden(t, "busy-100-offset.txt", draw(t, scenes[0].load(t), ladder.TextOptions{Width: 100, Time: ladder.TimeOffset}))
}
