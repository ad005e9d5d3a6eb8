package main

import (
	"github.com/spf13/cobra"

	"github.com/heplake/heplake/internal/agent"
)

// targetFlags adds the flags that name a collector.
func targetFlags(cmd *cobra.Command, t *agent.Target) {
	f := cmd.Flags()
	f.StringVar(&t.Addr, "to", "", "collector's HOST:PORT")
	f.StringVar(&t.Proto, "proto", "udp", "udp, tcp or tls")
	f.BoolVar(&t.Insecure, "insecure", false, "do not check the collector's certificate (tls)")
	_ = cmd.MarkFlagRequired("to")
}
