package export_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/heplake/heplake/ingest/hep"
	"github.com/heplake/heplake/internal/agent"
	"github.com/heplake/heplake/internal/captures"
	"github.com/heplake/heplake/internal/laketest"
	"github.com/heplake/heplake/internal/pcap"
)

// onWire reads the SIP of a capture that is no HEP, as an agent would report it.
func onWire(t *testing.T, name string) (packets []captures.Packet) {
	t.Helper()
	f, err := os.Open(captures.Path(name + ".pcap"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	x := agent.NewExtractor(agent.Options{Node: "wire", Packet: func(p *hep.Packet) error {
		packets = append(packets, captures.Packet{Transport: "udp", Payload: hep.Append(nil, p)})
		return nil
	}})
	if err := pcap.Read(f, x.Payload); err != nil {
		t.Fatal(err)
	}
	if err := x.Flush(); err != nil {
		t.Fatal(err)
	}
	return packets
}

// signature says of a message what a round trip must not change.
func signature(transport string, m message) string {
	return fmt.Sprint(transport, " ", m.callID, " ", m.start, " ", m.cseq, " ", m.src, " ", m.dst)
}

// What was captured on the wire, stored and exported is, as tshark reads it, the
// same messages over the same transports as in the captures. One file holds the
// calls of all captures.
func TestWireCapturesComeBack(t *testing.T) {
	need(t, "tshark")
	names := append(captures.Names(t, "*.sip"), captures.Names(t, "*.sip-rtcp")...)
	signatures := func(frames []map[string]string) (all []string) {
		for _, frame := range frames {
			if frame["sip.Method"]+frame["sip.Status-Code"] == "" {
				continue
			}
			transport := ""
			for _, layer := range []string{"udp", "tcp", "sctp"} {
				if frame[layer+".srcport"] != "" {
					transport = layer
				}
			}
			all = append(all, signature(transport, wireMessage(frame)))
		}
		slices.Sort(all)
		return all
	}
	read := func(file string) []string { return signatures(tshark(t, file, wireFields...)) }
	lake := laketest.Open(t)
	var want []string
	var packets [][]captures.Packet
	for _, name := range names {
		packets = append(packets, onWire(t, name))
		var frames []map[string]string
		for _, truth := range captures.ReadTruth(t, captures.Path(name+".truth.jsonl")) {
			if truth.First("udp.dstport") == "9060" || truth.First("tcp.dstport") == "9060" {
				continue // the agent's own HEP, in which Wireshark was told to look
			}
			frame := map[string]string{}
			for field, values := range truth {
				frame[field] = strings.Join(values, "|")
			}
			frames = append(frames, frame)
		}
		found := signatures(frames)
		if len(found) == 0 {
			t.Errorf("no SIP in %s", name)
		}
		want = append(want, found...)
	}
	lake.Load(t, lake.DB, packets...)
	lake.Pass(t)
	lake.Bound(t)
	flows := lakeFlows(t, lake)
	slices.Sort(want)
	for _, format := range []string{"pcap", "pcapng"} {
		file := captureFile(t, format, flows...)
		got := read(file)
		if !slices.Equal(got, want) {
			t.Errorf("%s: %d messages, %d on the wire; first difference: %s", format, len(got), len(want), firstDifference(got, want))
		}
	}
	// sngrep reads and writes all of it, too.
	if _, err := exec.LookPath("sngrep"); err != nil {
		t.Log("sngrep is not installed")
		return
	}
	out := filepath.Join(t.TempDir(), "out.pcap")
	if b, err := exec.CommandContext(t.Context(), "sngrep", "-N", "-q", "-I", captureFile(t, "pcap", flows...), "-O", out).CombinedOutput(); err != nil {
		t.Fatalf("sngrep: %v\n%s", err, b)
	}
	if got := read(out); !slices.Equal(got, want) {
		t.Errorf("sngrep: %d messages, %d on the wire; first difference: %s", len(got), len(want), firstDifference(got, want))
	}
}

func firstDifference(got, want []string) string {
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			return "lacks " + want[i]
		case i >= len(want):
			return "has " + got[i]
		case got[i] != want[i]:
			return got[i] + " for " + want[i]
		}
	}
	return ""
}

// The captures of senders that realCaptures leaves out: every other version of
// HEP, transport and family that agents send by.
func TestTsharkReadsEveryCapture(t *testing.T) {
	need(t, "tshark")
	names := slices.DeleteFunc(captures.Names(t, "*"), func(name string) bool {
		return slices.Contains(realCaptures, name) || strings.Contains(name, "torture") // which tshark does not take for SIP either
	})
	lake := laketest.Open(t, names...)
	flows := lakeFlows(t, lake)
	messages := 0
	for _, f := range flows {
		messages += len(sipItems(f))
	}
	var stored uint64
	if err := lake.DB.QueryRow(t.Context(), "SELECT count() FROM sip").Scan(&stored); err != nil {
		t.Fatal(err)
	}
	if messages != int(stored) || messages == 0 {
		t.Errorf("%d messages of %d captures are stored, %d are in flows", stored, len(names), messages)
	}
	compareWithTshark(t, captureFile(t, "pcap", flows...), flows...)
	compareWithTshark(t, captureFile(t, "pcapng", flows...), flows...)
}
