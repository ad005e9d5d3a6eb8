package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/heplake/heplake/ingest/hep"
	"github.com/heplake/heplake/internal/agent"
	"github.com/heplake/heplake/internal/pcap"
)

// captureFlags are the flags of capture that are not an option of the extractor.
type captureFlags struct {
	iface, file, filter, rtcp string
	stats                     time.Duration
	quiet                     bool
}

func newCapture() *cobra.Command {
	var (
		target agent.Target
		o      = agent.Options{Correlate: true}
		flags  captureFlags
		ports  []uint
	)
	cmd := &cobra.Command{
		Use:   "capture {--interface NAME | --read FILE} --to HOST:PORT",
		Short: "Capture SIP and RTCP from a network interface and send them as HEP",
		Long: `Capture from a network interface, or read a pcap or pcapng file, and send what
is found to a HEP collector as HEPv3: SIP over UDP, TCP (put together) and SCTP,
RTCP, and with --rtp the headers of RTP, never what they carry. IP fragments,
VLANs, and IP in IP, GRE and VXLAN tunnels are seen through. SIP and RTCP are told
by what they are, on any port; HEP itself is not captured again. RTCP names its
call by the SDP that went by.

Capturing from an interface needs Linux, and root or CAP_NET_RAW. It runs until
it is interrupted; a collector that is away is tried again, while a bounded queue
fills and then drops, which is counted.

--filter takes tcpdump's words: host, net, port, portrange, each with src or dst
before it, tcp, udp, sctp, ip, ip6, vlan, joined by and, or, not and parentheses.`,
		Example: `  heplake capture --interface eth0 --to collector:9060
  heplake capture --interface eth0 --to collector:9061 --proto tls --filter 'port 5060 and not host 10.0.0.9'
  heplake capture --read calls.pcap --to 127.0.0.1:9060 --rtp`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			for _, port := range ports {
				if port == 0 || port > 65535 {
					return fmt.Errorf("--ports takes ports, not %d", port)
				}
				o.Ports = append(o.Ports, uint16(port))
			}
			if flags.filter != "" {
				if o.Filter, err = agent.ParseFilter(flags.filter); err != nil {
					return fmt.Errorf("--filter: %w", err)
				}
			}
			if o.RTCPAsJSON = flags.rtcp == "json"; !o.RTCPAsJSON && flags.rtcp != "binary" {
				return fmt.Errorf("--rtcp takes json or binary, not %q", flags.rtcp)
			}
			if (flags.iface == "") == (flags.file == "") {
				return errors.New("one of --interface and --read says where to capture from")
			}
			return capture(cmd, target, o, flags)
		},
	}
	targetFlags(cmd, &target)
	f := cmd.Flags()
	f.StringVarP(&flags.iface, "interface", "i", "", "network interface")
	f.StringVarP(&flags.file, "read", "r", "", "pcap or pcapng file, gzipped or not; - is standard input")
	f.StringVar(&flags.filter, "filter", "", "what to look at, in tcpdump's words")
	f.UintSliceVar(&ports, "ports", nil, "take SIP only from and to these ports")
	f.BoolVar(&o.RTP, "rtp", false, "send the headers of RTP packets, as HEP type 4")
	f.StringVar(&flags.rtcp, "rtcp", "json", "RTCP as json, which every collector takes, or binary, as it was")
	f.DurationVar(&flags.stats, "stats", 0, "print figures so often (0: at the end only)")
	agentFlags(cmd, &o.Node, &o.CaptureID, &o.Key)
	f.BoolVarP(&flags.quiet, "quiet", "q", false, "print no figures")
	return cmd
}

func capture(cmd *cobra.Command, target agent.Target, o agent.Options, flags captureFlags) error {
	ctx, live := cmd.Context(), flags.iface != ""
	var sender *agent.Sender
	o.Packet = func(p *hep.Packet) error {
		if !live && ctx.Err() != nil {
			return ctx.Err()
		}
		return sender.Send(p)
	}
	x := agent.NewExtractor(o)
	// The collector's name may stand for other addresses later.
	own := func(ctx context.Context) {
		if addrs, err := target.Addrs(ctx); err == nil && live {
			x.SetOwn(addrs)
		}
	}
	own(ctx)
	// The sender outlives the interruption, to send what was captured.
	sender, err := agent.NewSender(context.WithoutCancel(ctx), agent.SenderConfig{Target: target, Live: live, Connecting: own})
	if err != nil {
		return err
	}
	var stats agent.TapStats
	if live {
		stats, err = captureInterface(ctx, cmd.ErrOrStderr(), x, sender, flags)
	} else {
		stats, err = captureFile(flags.file, cmd.InOrStdin(), x)
	}
	if serr := closeSender(ctx, sender); serr != nil {
		err = serr // what kept the extractor from sending
	}
	if !flags.quiet && stats.Frames > 0 {
		fmt.Fprintf(cmd.OutOrStdout(), "%s; %s\n", stats, sender.Stats())
	}
	if err != nil {
		return err
	}
	if flags.file != "" && stats.SIP+stats.RTCP+stats.RTP == 0 {
		return fmt.Errorf("%w: no SIP or RTCP in %s", errNotFound, flags.file)
	}
	return nil
}

func captureFile(path string, stdin io.Reader, x *agent.Extractor) (stats agent.TapStats, err error) {
	in := stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return stats, err
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	walked, err := pcap.ReadStats(in, x.Payload)
	if ferr := x.Flush(); err == nil {
		err = ferr
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", path, err)
	}
	return agent.TapStats{Stats: walked, Counts: x.Counts()}, err
}

// captureInterface captures until the command is interrupted.
func captureInterface(ctx context.Context, log io.Writer, x *agent.Extractor, sender *agent.Sender, flags captureFlags) (agent.TapStats, error) {
	i, err := agent.OpenInterface(flags.iface, x)
	if err != nil {
		return agent.TapStats{}, err
	}
	i.Start()
	fmt.Fprintf(log, "capturing from %s\n", flags.iface)
	var tick <-chan time.Time
	if flags.stats > 0 {
		t := time.NewTicker(flags.stats)
		defer t.Stop()
		tick = t.C
	}
	for {
		select {
		case <-ctx.Done():
			err := i.Close()
			return i.Stats(), err
		case <-sender.Done():
			err := i.Close()
			return i.Stats(), err
		case <-tick:
			fmt.Fprintf(log, "%s; %s\n", i.Stats(), sender.Stats())
		}
	}
}
