package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/heplake/heplake/internal/replay"
)

func newReplay() *cobra.Command {
	o := replay.Options{}
	var quiet bool
	cmd := &cobra.Command{
		Use:   "replay FILE... --to HOST:PORT",
		Short: "Send a capture to a HEP collector",
		Long: `Send what pcap or pcapng files hold to a HEP collector: HEP packets as they
are, plain SIP and RTCP packets wrapped as HEPv3. "-" reads standard input.`,
		Example: `  heplake replay calls.pcap --to 127.0.0.1:9060 --now
  heplake replay *.pcapng --to collector:9061 --proto tls --rate 500`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			began := time.Now()
			res, err := replay.Files(cmd.Context(), args, o)
			if !quiet && (err == nil || res.Sent() > 0) {
				fmt.Fprintln(cmd.OutOrStdout(), summary(res, o, time.Since(began)))
			}
			if err != nil {
				return err
			}
			if res.Sent() == 0 {
				return fmt.Errorf("%w to send: no HEP, SIP or RTCP in %s", errNotFound, strings.Join(args, ", "))
			}
			return nil
		},
	}
	targetFlags(cmd, &o.Target)
	f := cmd.Flags()
	f.Float64Var(&o.Rate, "rate", 0, "packets a second at most (0: as fast as they go)")
	f.BoolVar(&o.Now, "now", false, "move timestamps to the present: the last packet is seen now")
	f.Uint32Var(&o.CaptureID, "capture-id", 0, "capture id of packets that are wrapped")
	f.StringVar(&o.Node, "node", "replay", "agent name of packets that are wrapped")
	f.BoolVarP(&quiet, "quiet", "q", false, "print nothing about what was sent")
	return cmd
}

func summary(res replay.Result, o replay.Options, took time.Duration) string {
	s := fmt.Sprintf("sent %d packets to %s by %s in %s", res.Sent(), o.Addr, o.Proto, took.Round(time.Millisecond))
	if res.Wrapped > 0 {
		s += fmt.Sprintf("; %d of them wrapped as HEP", res.Wrapped)
	}
	if res.Skipped > 0 {
		s += fmt.Sprintf("; %d skipped, neither HEP nor SIP nor RTCP", res.Skipped)
	}
	if res.Unsendable > 0 {
		s += fmt.Sprintf("; %d not sent: HEP version 1 and 2, or cut by the capture, which have no framing for %s", res.Unsendable, o.Proto)
	}
	return s
}
