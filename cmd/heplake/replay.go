package main

import (
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/heplake/heplake/internal/replay"
)

func newReplay() *cobra.Command {
	o := replay.Options{}
	var insecure, quiet bool
	cmd := &cobra.Command{
		Use:   "replay FILE... --to HOST:PORT",
		Short: "Send a capture to a HEP collector",
		Long: `Send what pcap or pcapng files hold to a HEP collector: HEP packets as they
are, plain SIP and RTCP packets wrapped as HEPv3. "-" reads standard input.`,
		Example: `  heplake replay calls.pcap --to 127.0.0.1:9060 --now
  heplake replay *.pcapng --to collector:9061 --proto tls --rate 500`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			host, _, err := net.SplitHostPort(o.To)
			if err != nil {
				return fmt.Errorf("--to takes HOST:PORT, not %q", o.To)
			}
			o.TLS = &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12, InsecureSkipVerify: insecure} //nolint:gosec // asked for by name
			began := time.Now()
			res, err := replay.Files(cmd.Context(), args, o)
			if err != nil {
				return err
			}
			if !quiet {
				fmt.Fprintln(cmd.OutOrStdout(), summary(res, o, time.Since(began)))
			}
			if res.Sent() == 0 {
				return fmt.Errorf("%w to send: no HEP, SIP or RTCP in %s", errNotFound, strings.Join(args, ", "))
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.To, "to", "", "collector's HOST:PORT")
	f.StringVar(&o.Proto, "proto", "udp", "udp, tcp or tls")
	f.Float64Var(&o.Rate, "rate", 0, "packets a second at most (0: as fast as they go)")
	f.BoolVar(&o.Now, "now", false, "move timestamps to the present: the last packet is seen now")
	f.Uint32Var(&o.CaptureID, "capture-id", 0, "capture id of packets that are wrapped")
	f.StringVar(&o.Node, "node", "replay", "agent name of packets that are wrapped")
	f.BoolVar(&insecure, "insecure", false, "do not check the collector's certificate (tls)")
	f.BoolVarP(&quiet, "quiet", "q", false, "print nothing about what was sent")
	_ = cmd.MarkFlagRequired("to")
	return cmd
}

func summary(res replay.Result, o replay.Options, took time.Duration) string {
	s := fmt.Sprintf("sent %d packets to %s by %s in %s", res.Sent(), o.To, o.Proto, took.Round(time.Millisecond))
	if res.Wrapped > 0 {
		s += fmt.Sprintf("; %d of them wrapped as HEP", res.Wrapped)
	}
	if res.Skipped > 0 {
		s += fmt.Sprintf("; %d skipped, neither HEP nor SIP nor RTCP", res.Skipped)
	}
	if res.Unsendable > 0 {
		s += fmt.Sprintf("; %d not sent: HEP version 1 and 2 have no framing for %s", res.Unsendable, o.Proto)
	}
	return s
}
