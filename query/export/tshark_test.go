package export_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/heplake/heplake/query"
	"github.com/heplake/heplake/query/export"
)

// need skips the test where a program is not installed.
func need(t *testing.T, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		t.Skipf("%s is not installed (make test-deps installs it)", program)
	}
}

// captureFile writes flows as a capture file.
func captureFile(t *testing.T, format string, flows ...*query.Flow) string {
	t.Helper()
	write := map[string]func(io.Writer, ...*query.Flow) error{"pcap": export.PCAP, "pcapng": export.PCAPNG}[format]
	var b bytes.Buffer
	if err := write(&b, flows...); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "export."+format)
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// tshark reads fields of every frame; a field with several values has them
// joined by "|".
func tshark(t *testing.T, file string, fields ...string) []map[string]string {
	t.Helper()
	args := []string{"-n", "-r", file, "-T", "fields", "-E", "separator=/t", "-E", "aggregator=|", "-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE",
		"-o", "tcp.check_checksum:TRUE", "-o", "sctp.checksum:CRC-32c"}
	for _, f := range fields {
		args = append(args, "-e", f)
	}
	cmd := exec.CommandContext(t.Context(), "tshark", args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("tshark: %v\n%s", err, stderr.String())
	}
	var frames []map[string]string
	for _, line := range strings.Split(strings.TrimSuffix(string(out), "\n"), "\n") {
		frame := map[string]string{}
		for i, v := range strings.Split(line, "\t") {
			frame[fields[i]] = v
		}
		frames = append(frames, frame)
	}
	return frames
}

// wireFields are what is compared of each message.
var wireFields = []string{
	"frame.number", "frame.time_epoch", "ip.src", "ip.dst", "ipv6.src", "ipv6.dst", "udp.srcport", "udp.dstport", "tcp.srcport", "tcp.dstport",
	"sctp.srcport", "sctp.dstport", "udp.payload", "tcp.payload", "sip.Method", "sip.Status-Code", "sip.Call-ID", "sip.CSeq", "rtcp.pt",
	"ip.checksum.status", "udp.checksum.status", "tcp.checksum.status", "sctp.checksum.status", "tcp.analysis.lost_segment",
	"tcp.analysis.retransmission", "tcp.analysis.out_of_order", "tcp.stream", "_ws.malformed",
}

func first(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

// message is what is compared of a message, on either side.
type message struct {
	time, src, dst, start, callID, cseq string
}

func wireMessage(f map[string]string) message {
	addr := func(ip, port string) string {
		a, err := netip.ParseAddr(ip)
		n, err2 := strconv.Atoi(port)
		if err != nil || err2 != nil {
			return ip + " " + port
		}
		return netip.AddrPortFrom(a, uint16(n)).String()
	}
	return message{
		time:   strings.TrimSuffix(f["frame.time_epoch"], "000"),
		src:    addr(first(f["ip.src"], f["ipv6.src"]), first(f["udp.srcport"], f["tcp.srcport"], f["sctp.srcport"])),
		dst:    addr(first(f["ip.dst"], f["ipv6.dst"]), first(f["udp.dstport"], f["tcp.dstport"], f["sctp.dstport"])),
		start:  first(f["sip.Method"], f["sip.Status-Code"]),
		callID: f["sip.Call-ID"], cseq: f["sip.CSeq"],
	}
}

func storedMessage(it *query.Item) message {
	m := message{
		time: fmt.Sprintf("%d.%06d", it.Time.Unix(), it.Time.Nanosecond()/1000), src: it.SrcAddr.String(), dst: it.DstAddr.String(),
		start: it.Method, callID: it.CallID, cseq: fmt.Sprintf("%d %s", it.CSeq, it.CSeqMethod),
	}
	if it.Status != 0 {
		m.start = strconv.Itoa(int(it.Status))
	}
	return m
}

// sipItems are a flow's SIP messages, in order.
func sipItems(f *query.Flow) []*query.Item {
	var out []*query.Item
	for i := range f.Items {
		if f.Items[i].Kind == query.KindSIP {
			out = append(out, &f.Items[i])
		}
	}
	return out
}

// compareWithTshark checks that tshark sees the flows in the file: the same
// messages, each flow's in its order, with right checksums and no gap in any
// stream.
func compareWithTshark(t *testing.T, file string, flows ...*query.Flow) {
	t.Helper()
	type sighting struct {
		message
		frame map[string]string
	}
	seen := map[string][]sighting{} // by Call-ID
	streamed := 0
	for _, frame := range tshark(t, file, wireFields...) {
		for _, layer := range []string{"ip", "udp", "tcp", "sctp"} {
			if s := frame[layer+".checksum.status"]; s != "" && s != "1" {
				t.Errorf("frame %s: %s checksum is %q", frame["frame.number"], layer, s)
			}
		}
		for _, fault := range []string{"tcp.analysis.lost_segment", "tcp.analysis.retransmission", "tcp.analysis.out_of_order", "_ws.malformed"} {
			if frame[fault] != "" {
				t.Errorf("frame %s: %s", frame["frame.number"], fault)
			}
		}
		streamed += len(payload(frame["tcp.payload"]))
		if frame["sip.Method"]+frame["sip.Status-Code"] != "" {
			seen[frame["sip.Call-ID"]] = append(seen[frame["sip.Call-ID"]], sighting{wireMessage(frame), frame})
		}
	}
	for _, f := range flows {
		for _, it := range sipItems(f) {
			if len(seen[it.CallID]) == 0 {
				t.Fatalf("tshark does not see all messages of %s", it.CallID)
			}
			got := seen[it.CallID][0]
			seen[it.CallID] = seen[it.CallID][1:]
			want := storedMessage(it)
			switch it.Transport {
			case "tls", "ws", "wss": // on ports that Wireshark takes for SIP
				got.src, got.dst, want.src, want.dst = host(got.src), host(got.dst), host(want.src), host(want.dst)
				fallthrough
			case "tcp":
				streamed -= len(it.RawBytes)
			case "udp":
				if b := payload(got.frame["udp.payload"]); !bytes.Equal(b, it.RawBytes) {
					t.Errorf("datagram differs:\n%q\n%q", b, it.RawBytes)
				}
			}
			if got.message != want {
				t.Errorf("frame %s: tshark sees\n%+v, stored is\n%+v", got.frame["frame.number"], got.message, want)
			}
		}
	}
	for id, left := range seen {
		if len(left) > 0 {
			t.Errorf("tshark sees %d more messages of %s", len(left), id)
		}
	}
	if streamed != 0 {
		t.Errorf("TCP streams have %d bytes more than the messages", streamed)
	}
}

func payload(hexBytes string) []byte {
	b, _ := hex.DecodeString(strings.ReplaceAll(hexBytes, ":", ""))
	return b
}

func host(s string) string {
	a, _ := netip.ParseAddrPort(s)
	return a.Addr().String()
}

func TestTsharkReadsTheSameMessages(t *testing.T) {
	need(t, "tshark")
	for _, capture := range realCaptures {
		t.Run(capture, func(t *testing.T) {
			flows := realFlows(t, capture)
			compareWithTshark(t, captureFile(t, "pcap", flows...), flows...)
			compareWithTshark(t, captureFile(t, "pcapng", flows...), flows...)
			compareWithTshark(t, captureFile(t, "pcapng", flows[0]), flows[0])
		})
	}
}

// carried is a copy of a real call as another transport or family carries it.
func carried(t *testing.T, transport string, change func(*query.Item)) *query.Flow {
	f := *realFlows(t, "kamailio-hep3-udp-sip-calls-a")[0]
	f.Items = append([]query.Item(nil), f.Items...)
	for i := range f.Items {
		it := &f.Items[i]
		it.Transport, it.Copy = transport, false
		if change != nil {
			change(it)
		}
	}
	return &f
}

// lengthen gives a message a body of n more bytes.
func lengthen(it *query.Item, n int) {
	head, body, _ := bytes.Cut(it.RawBytes, []byte("\r\n\r\n"))
	body = append(bytes.Clone(body), bytes.Repeat([]byte("a=x-long:0123456789\r\n"), n/21+1)...)
	head = regexp.MustCompile(`(?im)^Content-Length:.*$`).ReplaceAll(head, fmt.Appendf(nil, "Content-Length: %d\r", len(body)))
	it.RawBytes = append(append(bytes.TrimSuffix(head, []byte("\r")), "\r\n\r\n"...), body...)
}

func toIPv6(it *query.Item) {
	six := func(a netip.AddrPort) netip.AddrPort {
		b := netip.MustParseAddr("2001:db8::").As16()
		v4 := a.Addr().As4()
		copy(b[12:], v4[:])
		return netip.AddrPortFrom(netip.AddrFrom16(b), a.Port())
	}
	it.SrcAddr, it.DstAddr = six(it.SrcAddr), six(it.DstAddr)
}

func TestTransports(t *testing.T) {
	need(t, "tshark")
	onPort := func(port uint16) func(*query.Item) {
		return func(it *query.Item) {
			if it.DstAddr.Port() == 5060 {
				it.DstAddr = netip.AddrPortFrom(it.DstAddr.Addr(), port)
			}
			if it.SrcAddr.Port() == 5060 {
				it.SrcAddr = netip.AddrPortFrom(it.SrcAddr.Addr(), port)
			}
		}
	}
	long := func(n int) func(*query.Item) { return func(it *query.Item) { lengthen(it, n) } }
	tests := []struct {
		name, transport string
		change          func(*query.Item)
	}{
		{"udp longer than a frame", "udp", long(9000)},
		{"udp longer than a frame on IPv6", "udp", func(it *query.Item) { toIPv6(it); lengthen(it, 30_000) }},
		{"tcp", "tcp", nil},
		{"tcp in many segments", "tcp", long(70_000)},
		{"tcp in many segments on IPv6", "tcp", func(it *query.Item) { toIPv6(it); lengthen(it, 5000) }},
		{"tls on its own port", "tls", onPort(5061)},
		{"ws on 80", "ws", onPort(80)},
		{"ws on 8080", "ws", onPort(8080)},
		{"ws on 5066", "ws", onPort(5066)},
		{"wss on 443", "wss", onPort(443)},
		{"wss on 8443", "wss", onPort(8443)},
		{"sctp", "sctp", nil},
		{"sctp, long, on IPv6", "sctp", func(it *query.Item) { toIPv6(it); lengthen(it, 10_001) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := carried(t, tt.transport, tt.change)
			compareWithTshark(t, captureFile(t, "pcap", f), f)
		})
	}
}

// RTCP that was captured as such is a packet; what agents wrote of it, and logs,
// are comments.
func TestReportsAndLogs(t *testing.T) {
	need(t, "tshark")
	f := carried(t, "udp", nil)
	report := []byte{0x80, 201, 0, 1, 0xde, 0xad, 0xbe, 0xef}
	at := f.Items[2].Time
	f.Items = append(f.Items[:3:3], append([]query.Item{
		{Kind: query.KindMedia, Time: at, Leg: 0, CallID: f.Items[0].CallID, RawBytes: report, Transport: "udp", Node: "rtpengine",
			SrcAddr: netip.MustParseAddrPort("192.0.2.1:30001"), DstAddr: netip.MustParseAddrPort("192.0.2.2:40001")},
		{Kind: query.KindMedia, Time: at, Leg: 0, Label: "RTCP loss 2 %", RawBytes: []byte(`{"ssrc":1}`), Raw: `{"ssrc":1}`, Node: "rtpengine"},
		{Kind: query.KindEvent, Time: at, Leg: 0, Label: "log x", RawBytes: []byte("NOTICE: from the script"), Raw: "NOTICE: from the script", Node: "edge"},
	}, f.Items[3:]...)...)
	f.Truncated = "media: only the first 3 reports are shown"
	file := captureFile(t, "pcapng", f)
	compareWithTshark(t, file, f)
	frames := tshark(t, file, "frame.interface_name", "rtcp.pt", "udp.srcport", "udp.dstport", "pkt_comment", "frame.comment", "sip.Method")
	rtcp := 0
	for _, frame := range frames {
		if frame["udp.srcport"] != "30001" {
			continue
		}
		rtcp++
		if frame["frame.interface_name"] != "rtpengine" || frame["udp.dstport"] != "40001" {
			t.Errorf("RTCP is %v", frame)
		}
		for _, want := range []string{"node rtpengine, leg A, Call-ID " + f.Items[0].CallID, "rtpengine: RTCP loss 2 %", "edge: NOTICE: from the script"} {
			if !strings.Contains(frame["frame.comment"], want) {
				t.Errorf("comment %q lacks %q", frame["frame.comment"], want)
			}
		}
	}
	if rtcp != 1 || len(frames) != len(f.Items)-2 {
		t.Errorf("%d RTCP packets of %d", rtcp, len(frames))
	}
	info, err := exec.CommandContext(t.Context(), "capinfos", "-M", file).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, info)
	}
	for _, want := range []string{"Capture application:", "heplake ", "only the first 3 reports", "rtpengine"} {
		if !bytes.Contains(info, []byte(want)) {
			t.Errorf("capinfos lacks %q:\n%s", want, info)
		}
	}
}

// sngrep reads the files and writes the same packets again.
func TestSngrepOpensIt(t *testing.T) {
	need(t, "sngrep")
	need(t, "tshark")
	for _, capture := range []string{"kamailio-hep3-udp-sip-calls-a", "kamailio-hep3-sip-tcp-a", "kamailio-hep3-over-ipv4-sip-ipv6-a"} {
		f := realFlows(t, capture)[0]
		for _, format := range []string{"pcap", "pcapng"} {
			out := filepath.Join(t.TempDir(), "out.pcap")
			cmd := exec.CommandContext(t.Context(), "sngrep", "-N", "-q", "-I", captureFile(t, format, f), "-O", out)
			if b, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%s %s: %v\n%s", capture, format, err, b)
			}
			compareWithTshark(t, out, f)
		}
	}
}
