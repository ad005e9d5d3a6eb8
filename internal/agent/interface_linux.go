package agent

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gopacket/gopacket/afpacket"
	"github.com/gopacket/gopacket/layers"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// Interface captures from a network interface by a packet socket with a ring
// buffer (packet(7), TPACKET_V3). It needs no library, but root or CAP_NET_RAW.
type Interface struct {
	name    string
	rtp     bool
	tap     *Tap
	socket  *socket
	closing atomic.Bool
	reading sync.WaitGroup
	// lost takes the kernel's drops of the read loop to the tap.
	lost atomic.Uint64
	err  error
}

// socket is an open packet socket.
type socket struct {
	ring  *afpacket.TPacket
	link  layers.LinkType
	since time.Time // when the filter was in place
	drops uint      // that the kernel counted when last asked
}

const (
	ringBlock, ringBlocks = 1 << 19, 32 // 16 MiB, minutes of SIP and a burst of anything
	ringDelay             = 20 * time.Millisecond
	pollEvery             = 200 * time.Millisecond
	reopenEvery           = time.Second
)

// OpenInterface opens the interface for capture into the extractor. Nothing is
// read before Start. Options.RTP of the extractor decides what the kernel lets
// through.
func OpenInterface(name string, x *Extractor) (*Interface, error) {
	i := &Interface{name: name, rtp: x.o.RTP}
	var err error
	if i.socket, err = openSocket(name, i.rtp); err != nil {
		return nil, err
	}
	i.tap = NewTap(x, func() uint64 { return i.lost.Swap(0) })
	return i, nil
}

func openSocket(name string, rtp bool) (*socket, error) {
	iface, err := net.InterfaceByName(name)
	if err != nil {
		return nil, fmt.Errorf("interface %s: %w; there are %s", name, errNoInterface, strings.Join(interfaceNames(), ", "))
	}
	link := linkType(name)
	program, err := kernelFilter(link == layers.LinkTypeEthernet, iface.Flags&net.FlagLoopback != 0, rtp)
	if err != nil {
		return nil, err
	}
	raw, err := bpf.Assemble(program)
	if err != nil {
		return nil, fmt.Errorf("kernel filter: %w", err)
	}
	ring, err := afpacket.NewTPacket(afpacket.OptInterface(name), afpacket.OptPollTimeout(pollEvery),
		afpacket.OptBlockSize(ringBlock), afpacket.OptNumBlocks(ringBlocks), afpacket.OptBlockTimeout(ringDelay))
	switch {
	case errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES):
		return nil, fmt.Errorf("capturing from interface %s needs root or CAP_NET_RAW: %w", name, err)
	case err != nil:
		return nil, fmt.Errorf("capture from interface %s: %w", name, err)
	}
	s := &socket{ring: ring, link: link}
	if err := ring.SetBPF(raw); err != nil {
		ring.Close()
		return nil, fmt.Errorf("capture from interface %s: %w", name, err)
	}
	if iface.Flags&net.FlagLoopback == 0 {
		// Mirror ports bring what is addressed to others. Not every interface can.
		if err := ring.SetPromiscuous(true); err != nil {
			slog.Warn("no promiscuous mode: only this machine's own traffic is seen", "interface", name, "error", err)
		}
	}
	s.since = time.Now()
	return s, nil
}

var errNoInterface = errors.New("there is none of this name")

func interfaceNames() (names []string) {
	list, _ := net.Interfaces()
	for _, i := range list {
		names = append(names, i.Name)
	}
	return names
}

// linkType tells what the interface's frames begin with: Ethernet, or, as on
// tunnels and PPP, IP itself.
func linkType(name string) layers.LinkType {
	b, err := os.ReadFile("/sys/class/net/" + name + "/type")
	n, perr := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil || perr != nil || n == unix.ARPHRD_ETHER || n == unix.ARPHRD_LOOPBACK {
		return layers.LinkTypeEthernet
	}
	return layers.LinkTypeRaw
}

// Start begins to read. An interface that goes away is opened again when it
// comes back.
func (i *Interface) Start() { i.reading.Go(i.read) }

// Close stops reading; when it returns the extractor is called no more. The
// error is that of the extractor's functions, which ended the capture.
func (i *Interface) Close() error {
	i.closing.Store(true)
	i.reading.Wait()
	i.socket.close()
	return errors.Join(i.err, i.tap.Close())
}

// Stats returns the figures of this moment.
func (i *Interface) Stats() TapStats { return i.tap.Stats() }

func (s *socket) close() {
	if s != nil {
		s.ring.Close()
	}
}

// countDrops adds the kernel's drops since the last call to n.
func (s *socket) countDrops(n *atomic.Uint64) {
	if _, v3, err := s.ring.SocketStats(); err == nil {
		n.Add(uint64(v3.Drops() - s.drops))
		s.drops = v3.Drops()
	}
}

func (i *Interface) read() {
	counted, down := time.Now(), false
	for !i.closing.Load() {
		if i.socket == nil {
			time.Sleep(reopenEvery)
			// It may be away for long: that it is was said once.
			i.socket, _ = openSocket(i.name, i.rtp)
			continue
		}
		data, info, err := i.socket.ring.ZeroCopyReadPacketData()
		if now := time.Now(); now.Sub(counted) >= sweepEvery {
			i.socket.countDrops(&i.lost)
			counted = now
		}
		switch {
		case errors.Is(err, afpacket.ErrTimeout):
			continue
		case err != nil:
			if !down {
				slog.Warn("the interface is down; capture goes on when it is back", "interface", i.name, "error", err)
			}
			down = true
			i.socket.close()
			i.socket = nil
			continue
		case info.Timestamp.Before(i.socket.since):
			continue // from before the filter
		}
		if down {
			slog.Info("the interface is back", "interface", i.name)
			down = false
		}
		for n, v := range info.AncillaryData {
			if vlan, ok := v.(afpacket.AncillaryVLAN); ok {
				info.AncillaryData[n] = vlan.VLAN
			}
		}
		if i.err = i.tap.Frame(data, i.socket.link, info); i.err != nil {
			return
		}
	}
}
