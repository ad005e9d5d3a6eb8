package export

import (
	"fmt"
	"io"
	"strings"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"github.com/heplake/heplake/internal/version"
	"github.com/heplake/heplake/query"
)

// snapLength is the longest frame that the files announce, in bytes. No frame
// is cut by it.
const snapLength = 256 << 10

// PCAP writes the flows' SIP messages and binary RTCP as a classic capture file
// (draft-ietf-opsawg-pcap) with Ethernet frames and times in µs. Messages have
// the protocol and the addresses that they were captured with; those captured
// inside TLS or a WebSocket are clear text over TCP. The format has no room for
// anything else: log records, nodes and truncation are in PCAPNG.
//
// The error is the writer's.
func PCAP(w io.Writer, flows ...*query.Flow) error {
	out := pcapgo.NewWriter(w)
	if err := out.WriteFileHeader(snapLength, layers.LinkTypeEthernet); err != nil {
		return fmt.Errorf("write pcap: %w", err)
	}
	f := newFramer()
	all := packets(flows)
	for i := range all {
		p := &all[i]
		if err := f.frames(p, func(frame []byte) error { return out.WritePacket(captureInfo(p, frame), frame) }); err != nil {
			return fmt.Errorf("write pcap: %w", err)
		}
	}
	return nil
}

func captureInfo(p *packet, frame []byte) gopacket.CaptureInfo {
	return gopacket.CaptureInfo{Timestamp: p.time, CaptureLength: len(frame), Length: len(frame)}
}

// PCAPNG writes the flows like PCAP in the newer format
// (draft-ietf-opsawg-pcapng): an interface for each capture node, and on every
// packet a comment that names node, leg and Call-ID. Log records and reports that
// are no packets are comments on the packet before them. The section's comment
// says what the flows are, and what of them a limit cut off.
//
// The error is the writer's.
func PCAPNG(w io.Writer, flows ...*query.Flow) error {
	all := packets(flows)
	nodes, index := nodesOf(all)
	out, err := pcapgo.NewNgWriterInterface(w, nodeInterface(nodes[0]), pcapgo.NgWriterOptions{SectionInfo: pcapgo.NgSectionInfo{
		Application: "heplake " + version.Version, Comment: cut(sectionComment(flows), maxComment),
	}})
	if err != nil {
		return fmt.Errorf("write pcapng: %w", err)
	}
	for _, node := range nodes[1:] {
		if _, err := out.AddInterface(nodeInterface(node)); err != nil {
			return fmt.Errorf("write pcapng: %w", err)
		}
	}
	f := newFramer()
	for i := range all {
		p := &all[i]
		options := pcapgo.NgPacketOptions{Comments: p.comments}
		err := f.frames(p, func(frame []byte) error {
			info := captureInfo(p, frame)
			info.InterfaceIndex = index[p.node]
			err := out.WritePacketWithOptions(info, frame, options)
			options = pcapgo.NgPacketOptions{} // the first segment has them
			return err
		})
		if err != nil {
			return fmt.Errorf("write pcapng: %w", err)
		}
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write pcapng: %w", err)
	}
	return nil
}

// nodesOf lists the capture nodes in order of appearance, one at least.
func nodesOf(all []packet) (names []string, index map[string]int) {
	index = map[string]int{}
	for i := range all {
		if _, ok := index[all[i].node]; !ok {
			index[all[i].node] = len(names)
			names = append(names, all[i].node)
		}
	}
	if len(names) == 0 {
		names = []string{"heplake"}
	}
	return names, index
}

func nodeInterface(node string) pcapgo.NgInterface {
	return pcapgo.NgInterface{Name: cut(node, 255), Description: "HEP capture node", LinkType: layers.LinkTypeEthernet, SnapLength: snapLength}
}

// sectionComment says what is in the file.
func sectionComment(flows []*query.Flow) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s from HEP records; Ethernet addresses, and TCP and SCTP numbers, are made up", plural(len(flows), "call"))
	for _, f := range flows {
		if f.Truncated != "" {
			fmt.Fprintf(&b, "\ncall %s is not whole: %s", f.Call.CorrelationID, f.Truncated)
		}
	}
	return b.String()
}

func plural(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}
