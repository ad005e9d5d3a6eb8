package main

import (
	"context"
	"time"

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

// lastWords is how long an interrupted agent tries to send what it holds.
const lastWords = 3 * time.Second

// closeSender sends what waits. After an interruption it does not try for long.
func closeSender(ctx context.Context, sender *agent.Sender) error {
	closing, cancel := context.WithCancel(context.Background())
	defer cancel()
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(lastWords, cancel) })
	defer stop()
	return sender.Close(closing)
}
