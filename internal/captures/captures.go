// Package captures gives tests the real HEP traffic of testdata/captures: the
// datagrams and streams that real senders put on the wire, and beside each
// file what Wireshark decoded from it.
package captures

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

// Packet is one transport payload of a capture file.
type Packet struct {
	// Frame is the frame's number in the file, counted from 1 as Wireshark does.
	Frame int
	// Time is when the capturing host saw the frame.
	Time time.Time
	// Src and Dst are the outer addresses: the sender of the HEP and its collector.
	Src, Dst netip.AddrPort
	// Transport is "udp" or "tcp".
	Transport string
	// Payload is the UDP payload or the TCP segment's data; never empty.
	Payload []byte
}

// Root is the repository's root directory.
func Root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Dir(filepath.Dir(filepath.Dir(file)))
}

// Path is the path of a file of testdata/captures.
func Path(name string) string { return filepath.Join(Root(), "testdata", "captures", name) }

// Public is the path of a file below the folder of captures that others
// published. They are not part of this repository: the test is skipped, saying
// so, where the folder is absent.
func Public(t testing.TB, name string) string {
	t.Helper()
	p := filepath.Join(Root(), "..", "shared", "captures", "public", name)
	if _, err := os.Stat(p); err != nil {
		t.Skipf("published capture %s is not on this machine (looked at %s)", name, p)
	}
	return p
}

// Names lists the capture files in testdata/captures whose names match the
// glob, without ".pcap", sorted. Raw SIP companions (".sip", ".sip-rtcp") are
// left out unless the glob names them.
func Names(t testing.TB, glob string) []string {
	t.Helper()
	files, err := filepath.Glob(Path(glob + ".pcap"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range files {
		name := strings.TrimSuffix(filepath.Base(f), ".pcap")
		if raw := strings.Contains(name, ".sip"); raw && !strings.Contains(glob, ".sip") {
			continue
		}
		names = append(names, name)
	}
	if len(names) == 0 {
		t.Fatalf("no capture matches %q", glob)
	}
	return names
}

// Read returns every UDP payload and non-empty TCP segment of a pcap file, in
// file order. Any link type that gopacket knows will do.
func Read(t testing.TB, path string) []Packet {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	r, err := pcapgo.NewReader(f)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	var out []Packet
	for frame := 1; ; frame++ {
		data, info, err := r.ReadPacketData()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatalf("%s frame %d: %v", path, frame, err)
		}
		if p, ok := decodeFrame(data, r.LinkType()); ok {
			p.Frame, p.Time = frame, info.Timestamp
			out = append(out, p)
		}
	}
}

func decodeFrame(data []byte, link layers.LinkType) (Packet, bool) {
	pkt := gopacket.NewPacket(data, link, gopacket.NoCopy)
	network, transport := pkt.NetworkLayer(), pkt.TransportLayer()
	if network == nil || transport == nil || len(transport.LayerPayload()) == 0 {
		return Packet{}, false
	}
	src, dst := network.NetworkFlow().Endpoints()
	out := Packet{Payload: transport.LayerPayload()}
	var sport, dport uint16
	switch l := transport.(type) {
	case *layers.UDP:
		out.Transport, sport, dport = "udp", uint16(l.SrcPort), uint16(l.DstPort)
	case *layers.TCP:
		out.Transport, sport, dport = "tcp", uint16(l.SrcPort), uint16(l.DstPort)
	default:
		return Packet{}, false
	}
	out.Src, out.Dst = addrPort(src.Raw(), sport), addrPort(dst.Raw(), dport)
	return out, true
}

func addrPort(ip []byte, port uint16) netip.AddrPort {
	addr, _ := netip.AddrFromSlice(ip)
	return netip.AddrPortFrom(addr, port)
}

// Truth is Wireshark's decode of one frame: field name to its values, of which
// there are several where the frame holds several messages.
type Truth map[string][]string

// First is the field's first value, or "".
func (t Truth) First(field string) string {
	if v := t[field]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// Frame is the frame's number in the pcap file.
func (t Truth) Frame() int {
	n, _ := strconv.Atoi(t.First("frame.number"))
	return n
}

// ReadTruth returns the frames of NAME.truth.jsonl in file order.
func ReadTruth(t testing.TB, path string) []Truth {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	var out []Truth
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 4<<20)
	for sc.Scan() {
		var raw map[string]any
		if err := json.Unmarshal(sc.Bytes(), &raw); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		truth := make(Truth, len(raw))
		for k, v := range raw {
			switch v := v.(type) {
			case string:
				truth[k] = []string{v}
			case []any:
				for _, e := range v {
					if s, ok := e.(string); ok {
						truth[k] = append(truth[k], s)
					}
				}
			}
		}
		out = append(out, truth)
	}
	if err := sc.Err(); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return out
}
