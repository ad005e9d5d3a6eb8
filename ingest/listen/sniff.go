package listen

import (
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/heplake/heplake/ingest/hep"
	"github.com/heplake/heplake/internal/agent"
)

// Sniffer makes HEP of the SIP and RTCP that goes over a network interface. It
// needs Linux, and root or CAP_NET_RAW.
type Sniffer struct{ *agent.Interface }

// ListenInterface opens the interface. Nothing is captured before Start.
// Records have this machine's name as agent.
func ListenInterface(name string, sink Sink) (Sniffer, error) {
	feed := newFeed(sink)
	// What is captured here comes from no sender but this machine.
	feed.setSender(netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 0))
	i, err := agent.OpenInterface(name, feed.extractor())
	return Sniffer{i}, err
}

// feed encodes what an extractor finds as HEP, into one buffer, for a sink.
type feed struct {
	sink    Sink
	node    string
	buf     []byte
	packets [1]Packet

	mu   sync.Mutex // guards from
	from netip.AddrPort
}

func newFeed(sink Sink) *feed {
	f := &feed{sink: sink}
	f.node, _ = os.Hostname()
	return f
}

// setSender names who sent what comes next.
func (f *feed) setSender(from netip.AddrPort) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.from = from
}

func (f *feed) sender() netip.AddrPort {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.from
}

// extractor returns the extractor whose packets go to the sink. RTCP stays
// binary: the decoder takes it as it is, and so it is stored.
func (f *feed) extractor() *agent.Extractor {
	return agent.NewExtractor(agent.Options{Node: f.node, Packet: f.packet})
}

func (f *feed) packet(p *hep.Packet) error {
	f.packets[0] = Packet{From: f.sender()}
	if f.buf = hep.Append(f.buf[:0], p); len(f.buf) > 0 {
		f.packets[0].Data = f.buf
	} else {
		f.packets[0].Fault = "too_large" // a message put together from a stream
	}
	f.sink.Packets(time.Now(), f.packets[:])
	return nil
}
