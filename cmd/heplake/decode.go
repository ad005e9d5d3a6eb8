package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/heplake/heplake/ingest/listen"
	"github.com/heplake/heplake/internal/agent/dump"
)

func newDecode() *cobra.Command {
	var address string
	var pretty bool
	var count int
	cmd := &cobra.Command{
		Use:   "decode [FILE|-]... [--listen udp:HOST:PORT|tcp:HOST:PORT]",
		Short: "Print HEP as JSON lines",
		Long: `Print HEP as JSON, one object a line. A file is a pcap or pcapng capture with
HEP in it (gzipped or not), HEP version 3 messages one behind the other, or one
message of another version; without a file, or for "-", it is standard input.
With --listen, packets are printed as they arrive at a socket.

Each object is {"rcinfo":{…}, "payload":"…", "variant":"hep3"}: rcinfo has every
chunk by name, and under chunks those of vendors. What is no UTF-8 stands in
base64 under its name with _base64. The HTTP listener (hep.http) takes this form
back. A packet that does not decode is {"error":…, "offset":…, "packet_base64":…}.
Exit code 3 says that there was no HEP.`,
		Example: `  heplake decode calls.pcapng | jq -r .payload
  heplake decode --listen udp::9060 --pretty --count 1
  heplake decode calls.pcap | curl --data-binary @- http://collector:9080/`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if address != "" && len(args) > 0 {
				return errors.New("either files or --listen, not both")
			}
			if count < 0 {
				return fmt.Errorf("--count takes a number of packets, not %d", count)
			}
			p := dump.New(cmd.OutOrStdout())
			p.Pretty, p.Count = pretty, count
			if address != "" {
				return decodeSocket(cmd, address, p)
			}
			return decodeFiles(cmd.Context(), args, cmd.InOrStdin(), p)
		},
	}
	f := cmd.Flags()
	f.StringVar(&address, "listen", "", "print what arrives at udp:HOST:PORT or tcp:HOST:PORT, until interrupted")
	f.BoolVar(&pretty, "pretty", false, "print each packet over several lines")
	f.IntVar(&count, "count", 0, "stop after so many packets (0: never)")
	return cmd
}

// decodeFiles prints the files one after the other. A file that is damaged is
// printed up to the damage, and ends the command with an error.
func decodeFiles(ctx context.Context, paths []string, stdin io.Reader, p *dump.Printer) error {
	if len(paths) == 0 {
		paths = []string{"-"}
	}
	for _, path := range paths {
		// A terminal that says nothing cannot be waited for after an interruption.
		done := make(chan error, 1)
		go func() { done <- decodeFile(path, stdin, p) }()
		select {
		case err := <-done:
			if errors.Is(err, dump.ErrEnough) {
				return nil
			}
			if err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if p.Printed() == 0 {
		return fmt.Errorf("%w: no HEP in %s", errNotFound, strings.Join(paths, ", "))
	}
	return nil
}

func decodeFile(path string, stdin io.Reader, p *dump.Printer) error {
	in := stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	if err := p.Read(in); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// decodeSocket prints what arrives until the command is interrupted or has
// printed enough.
func decodeSocket(cmd *cobra.Command, address string, p *dump.Printer) error {
	network, host, _ := strings.Cut(address, ":")
	if _, _, err := net.SplitHostPort(host); err != nil || network != "udp" && network != "tcp" {
		return fmt.Errorf("--listen takes udp:HOST:PORT or tcp:HOST:PORT, not %q", address)
	}
	ctx, enough := context.WithCancel(cmd.Context())
	defer enough()
	p.Done = enough
	var l interface {
		Addr() netip.AddrPort
		Start()
		Close() error
	}
	var err error
	sinks := []listen.Sink{p}
	if network == "udp" {
		l, err = listen.ListenUDP(ctx, listen.UDPConfig{Addr: host, Buffer: 4 << 20}, sinks)
	} else {
		l, err = listen.ListenStream(ctx, listen.StreamConfig{Addr: host, MaxConns: 64 * runtime.NumCPU(), IdleTimeout: time.Hour}, sinks)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "listening on %s %s\n", network, l.Addr())
	l.Start()
	<-ctx.Done()
	if err := errors.Join(l.Close(), p.Err()); !errors.Is(err, dump.ErrEnough) && err != nil {
		return err
	}
	if p.Printed() == 0 {
		return fmt.Errorf("%w: no HEP arrived", errNotFound)
	}
	return nil
}
