package export_test

import (
	"archive/tar"
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/heplake/heplake/query"
	"github.com/heplake/heplake/query/export"
)

// scenario unpacks the SIPp export of a leg into a folder and returns its files.
func scenario(t *testing.T, f *query.Flow, o export.SIPpOptions) (dir string, files map[string]string) {
	t.Helper()
	var b bytes.Buffer
	if err := export.SIPp(&b, f, o); err != nil {
		t.Fatal(err)
	}
	dir, files = t.TempDir(), map[string]string{}
	for r := tar.NewReader(&b); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return dir, files
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		files[h.Name] = string(content)
		if err := os.WriteFile(filepath.Join(dir, h.Name), content, os.FileMode(h.Mode)); err != nil {
			t.Fatal(err)
		}
	}
}

// freePort is a port that nobody has, for UDP and TCP.
func freePort(t *testing.T) int {
	t.Helper()
	for range 50 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port := l.Addr().(*net.TCPAddr).Port
		u, err := net.ListenUDP("udp", &net.UDPAddr{Port: port})
		_ = l.Close()
		if err == nil {
			_ = u.Close()
			return port
		}
	}
	t.Fatal("no free port")
	return 0
}

// shape is what a scenario does, without the names in it: the lines of its README
// that show the messages.
func shape(files map[string]string) string {
	var out []string
	for _, line := range strings.Split(files["README"], "\n") {
		if strings.Contains(line, "───") {
			line, _, _ = strings.Cut(line, "  after ")
			out = append(out, line)
		}
	}
	return strings.Join(out, "\n")
}

// Every hop of every call of the captures, of each shape one, is played by the
// script that comes with it, and both sides end well.
func TestSIPpPlaysRealCalls(t *testing.T) {
	need(t, "sipp")
	seen := map[string]bool{}
	var titles []string
	for _, capture := range realCaptures {
		for _, f := range realFlows(t, capture) {
			for leg := range f.Legs {
				dir, files := scenario(t, f, export.SIPpOptions{Leg: leg, MaxPause: 30 * time.Millisecond})
				for _, name := range []string{"uac.xml", "uas.xml"} {
					if err := wellFormed(files[name]); err != nil {
						t.Errorf("%s of %s: %v", name, f.Legs[leg].CallID, err)
					}
				}
				key := f.Items[0].Transport + "\n" + shape(files)
				if seen[key] {
					continue
				}
				seen[key] = true
				titles = append(titles, shape(files))
				t.Run(capture+"/"+f.Legs[leg].CallID, func(t *testing.T) {
					t.Parallel()
					play(t, dir, files)
				})
			}
		}
	}
	for _, want := range []string{"INVITE", "CANCEL", "PRACK", "UPDATE", "REFER", "NOTIFY", "SUBSCRIBE", "INFO", "REGISTER", "MESSAGE", "PUBLISH", "OPTIONS",
		"401", "407", "486", "487", "603", "302", "404", "408", "480", "488", "503"} {
		if !strings.Contains(strings.Join(titles, "\n"), want) {
			t.Errorf("no scenario with %s was played", want)
		}
	}
}

func wellFormed(doc string) error {
	dec := xml.NewDecoder(strings.NewReader(doc))
	for {
		if _, err := dec.Token(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// play runs the pair.
func play(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "run.sh")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), fmt.Sprintf("PORT=%d", freePort(t)))
	cmd.WaitDelay = time.Second
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s\n%s\n--- uac.xml\n%s\n--- uas.xml\n%s", err, out, shape(files), files["uac.xml"], files["uas.xml"])
	}
}

// A message with all that means something to SIPp or XML arrives as it was.
func TestSIPpKeepsHostileText(t *testing.T) {
	need(t, "sipp")
	f := carried(t, "udp", nil)
	hostile := "a [call_id] ]]> \\x41 <b attr=\"'\"> -- & \\[x] [unknown] ü \xff end"
	for i := range f.Items {
		it := &f.Items[i]
		it.RawBytes = bytes.Replace(bytes.Clone(it.RawBytes), []byte("\r\nCSeq"), []byte("\r\nSubject: "+hostile+"\r\nCSeq"), 1)
	}
	dir, files := scenario(t, f, export.SIPpOptions{MaxPause: time.Millisecond})
	for name, content := range files {
		if err := wellFormed(content); strings.HasSuffix(name, ".xml") && err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	log := filepath.Join(t.TempDir(), "uas.log")
	run := strings.Replace(files["run.sh"], `-p "${PORT:-5060}"`, `-p "${PORT:-5060}" -trace_msg -message_file `+log, 1)
	if err := os.WriteFile(filepath.Join(dir, "run.sh"), []byte(run), 0o700); err != nil {
		t.Fatal(err)
	}
	play(t, dir, files)
	seen, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(seen, []byte("Subject: "+hostile+"\r\n")); n < 5 {
		t.Errorf("%d messages have the text as it was:\n%s", n, seen)
	}
}

// The ACK that the capture lacks is added; pauses are cut.
func TestSIPpAddsTheACK(t *testing.T) {
	need(t, "sipp")
	found := false
	for _, real := range realFlows(t, "kamailio-hep3-udp-sip-failures-a") {
		if real.Call.FinalStatus != 486 || found {
			continue
		}
		found = true
		f := *real
		f.Items = nil
		for _, it := range real.Items {
			if it.Method != "ACK" {
				f.Items = append(f.Items, it)
			}
		}
		dir, files := scenario(t, &f, export.SIPpOptions{MaxPause: 20 * time.Millisecond})
		if !strings.Contains(files["README"], "the capture lacks the ACK to 486") || !strings.HasSuffix(shape(files), "ACK") {
			t.Errorf("no ACK was added:\n%s", files["README"])
		}
		if strings.Contains(files["uas.xml"], `milliseconds="1`) || !strings.Contains(files["uas.xml"], `<pause milliseconds="20"/>`) {
			t.Errorf("the pauses are not cut:\n%s", files["uas.xml"])
		}
		play(t, dir, files)
	}
	if !found {
		t.Error("the capture has no call that failed with 486")
	}
}

// A caller that loses its connection goes on from another port.
func TestSIPpFollowsTheCaller(t *testing.T) {
	for _, real := range realFlows(t, "kamailio-hep3-sip-tcp-a") {
		if real.Call.Method != "INVITE" || real.Call.Outcome != query.Answered {
			continue
		}
		f := *real
		f.Items = append([]query.Item(nil), real.Items...)
		old, moved := f.Items[0].SrcAddr, netip.MustParseAddrPort("127.0.0.1:40999")
		for i := range f.Items {
			it := &f.Items[i]
			if it.CSeqMethod != "BYE" {
				continue
			}
			if it.SrcAddr == old {
				it.SrcAddr = moved
			}
			if it.DstAddr == old {
				it.DstAddr = moved
			}
		}
		_, want := scenario(t, real, export.SIPpOptions{})
		_, got := scenario(t, &f, export.SIPpOptions{})
		if shape(got) != shape(want) || !strings.Contains(shape(want), "BYE") {
			t.Errorf("the scenario is\n%s\nbefore it was\n%s", shape(got), shape(want))
		}
		return
	}
	t.Error("the capture has no answered call")
}

func TestSIPpRefuses(t *testing.T) {
	f := carried(t, "udp", func(it *query.Item) { it.RawBytes = []byte("INVITE sip:b SIP/2.0\r\n\r\n") })
	for _, leg := range []int{-1, 0, 1} {
		if err := export.SIPp(io.Discard, f, export.SIPpOptions{Leg: leg}); !errors.Is(err, export.ErrNoScenario) {
			t.Errorf("leg %d: %v", leg, err)
		}
	}
}

// Each side plays against SIPp's own scenarios, which know nothing of the call.
func TestSIPpPlaysWithOthers(t *testing.T) {
	need(t, "sipp")
	dir, _ := scenario(t, realFlows(t, "kamailio-hep3-udp-sip-calls-a")[0], export.SIPpOptions{MaxPause: 50 * time.Millisecond})
	for _, sides := range [][2][]string{{{"-sf", "uac.xml"}, {"-sn", "uas"}}, {{"-sn", "uac"}, {"-sf", "uas.xml"}}} {
		port := fmt.Sprint(freePort(t))
		common := []string{"-m", "1", "-i", "127.0.0.1", "-nostdin", "-timeout", "30", "-timeout_error"}
		server := exec.CommandContext(t.Context(), "sipp", append(append(sides[1], common...), "-p", port)...)
		server.Dir = dir
		if err := server.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		client := exec.CommandContext(t.Context(), "sipp", append(append(sides[0], common...), "127.0.0.1:"+port)...)
		client.Dir = dir
		if out, err := client.CombinedOutput(); err != nil {
			t.Errorf("%v against %v: %v\n%s", sides[0], sides[1], err, out)
		}
		if err := server.Wait(); err != nil {
			t.Errorf("%v against %v: the server: %v", sides[0], sides[1], err)
		}
	}
}
