package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"regexp"
	"slices"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/heplake/heplake/internal/agent"
)

// pipeFlags are the flags of pipe that need a look before they are used.
type pipeFlags struct {
	id, time, start, addr string
	follow, fromStart     bool
}

func newPipe() *cobra.Command {
	var (
		target agent.Target
		cfg    agent.LogConfig
		flags  pipeFlags
		quiet  bool
	)
	cmd := &cobra.Command{
		Use:   "pipe [FILE|-]... --to HOST:PORT --id REGEXP",
		Short: "Ship log lines to a HEP collector, tied to their call",
		Long: `Ship the lines of log files, or of standard input, to a HEP collector as type
100. Their correlation id, mostly a Call-ID, is what --id finds: its first group,
or the whole match. Lines without one are shipped all the same, unless
--only-matching.

With --follow, files are read as they grow, from their end, over rotation and
truncation, until interrupted. With --start, lines that do not match it continue
the record before them.`,
		Example: `  heplake pipe /var/log/kamailio.log --follow --to collector:9060 --id 'callid=([^ ]+)'
  journalctl -fu asterisk | heplake pipe --to collector:9060 --proto tcp --id 'C-[0-9a-f]{8}'
  heplake pipe app.log --to collector:9060 --id 'call=(\S+)' --start '^\d{4}-' --time-regexp '^\S+' --time-layout rfc3339`,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if err := flags.compile(&cfg); err != nil {
				return err
			}
			if flags.follow && (len(args) == 0 || slices.Contains(args, "-")) {
				return errors.New("--follow takes files: standard input is followed anyway")
			}
			return pipe(cmd, args, target, cfg, flags, quiet)
		},
	}
	targetFlags(cmd, &target)
	f := cmd.Flags()
	f.StringVar(&flags.id, "id", "", "regular expression (RE2) that finds the correlation id")
	f.BoolVar(&cfg.OnlyMatching, "only-matching", false, "leave records without an id out")
	f.StringVar(&flags.start, "start", "", "regular expression for the first line of a record of several lines")
	f.StringVar(&flags.time, "time-regexp", "", "regular expression that finds the time (default: the time of reading)")
	f.StringVar(&cfg.Layout, "time-layout", "", "how the time is written: rfc3339, unix, unixms, or Go's 2006-01-02 15:04:05")
	f.StringVar(&flags.addr, "address", "127.0.0.1", "address of the machine that the records are of")
	f.BoolVarP(&flags.follow, "follow", "f", false, "read the files as they grow, until interrupted")
	f.BoolVar(&flags.fromStart, "from-start", false, "with --follow: ship what the files hold already, too")
	f.Uint16Var(&cfg.Type, "type", 100, "HEP protocol type")
	agentFlags(cmd, &cfg.Node, &cfg.CaptureID, &cfg.Key)
	f.BoolVarP(&quiet, "quiet", "q", false, "print nothing about what was sent")
	return cmd
}

// agentFlags adds the flags that name an agent.
func agentFlags(cmd *cobra.Command, node *string, id *uint32, key *string) {
	host, _ := os.Hostname()
	f := cmd.Flags()
	f.StringVar(node, "node", "", "agent name (default: this machine's)")
	f.Uint32Var(id, "capture-id", 0, "agent id")
	f.StringVar(key, "key", "", "agent's password, for collectors that want one")
	cmd.PreRun = func(*cobra.Command, []string) {
		if !f.Changed("node") {
			*node = host
		}
	}
}

// compile reads the flags that are expressions and addresses.
func (p *pipeFlags) compile(cfg *agent.LogConfig) error {
	for _, r := range []struct {
		flag, expr string
		to         **regexp.Regexp
	}{{"id", p.id, &cfg.ID}, {"start", p.start, &cfg.Start}, {"time-regexp", p.time, &cfg.Time}} {
		if r.expr == "" {
			continue
		}
		re, err := regexp.Compile(r.expr)
		if err != nil {
			return fmt.Errorf("--%s: %w", r.flag, err)
		}
		*r.to = re
	}
	if cfg.OnlyMatching && cfg.ID == nil {
		return errors.New("--only-matching needs --id")
	}
	var err error
	if cfg.Addr, err = netip.ParseAddr(p.addr); err != nil {
		return fmt.Errorf("--address takes an IP address, not %q", p.addr)
	}
	return nil
}

func pipe(cmd *cobra.Command, paths []string, target agent.Target, cfg agent.LogConfig, flags pipeFlags, quiet bool) error {
	ctx := cmd.Context()
	// The sender outlives the interruption, to send what was read.
	sender, err := agent.NewSender(context.WithoutCancel(ctx), agent.SenderConfig{Target: target, Live: flags.follow})
	if err != nil {
		return err
	}
	cfg.Send = sender.Send
	shipper, err := agent.NewLogShipper(cfg)
	if err == nil {
		err = shipFiles(ctx, shipper, paths, cmd.InOrStdin(), flags)
	}
	if serr := closeSender(ctx, sender); serr != nil {
		err = serr // what kept the shipper from shipping
	}
	if err != nil {
		return err
	}
	if !quiet {
		fmt.Fprintf(cmd.OutOrStdout(), "%s; %s\n", shipper.Stats(), sender.Stats())
	}
	if !flags.follow && shipper.Stats().Records == 0 {
		return fmt.Errorf("%w to ship", errNotFound)
	}
	return nil
}

// shipFiles ships files one after the other, or, when they are followed, all at
// once.
func shipFiles(ctx context.Context, shipper *agent.LogShipper, paths []string, stdin io.Reader, flags pipeFlags) error {
	if len(paths) == 0 {
		paths = []string{"-"}
	}
	if !flags.follow {
		for _, path := range paths {
			if err := shipFile(ctx, shipper, path, stdin); err != nil {
				return err
			}
		}
		return nil
	}
	g, ctx := errgroup.WithContext(ctx)
	for _, path := range paths {
		tail, err := agent.NewTail(ctx, path, flags.fromStart)
		if err != nil {
			return err
		}
		g.Go(func() error { return errors.Join(shipper.Ship(ctx, tail), tail.Close()) })
	}
	return g.Wait()
}

func shipFile(ctx context.Context, shipper *agent.LogShipper, path string, stdin io.Reader) error {
	if path == "-" {
		return shipper.Ship(ctx, stdin)
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	return shipper.Ship(ctx, f)
}
