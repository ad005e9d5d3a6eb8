// Command heplake is the whole of heplake in one binary: the collector, the
// API, the embedded ClickHouse, and the tools to ask them.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/heplake/heplake/internal/config"
	"github.com/heplake/heplake/internal/embedded"
	"github.com/heplake/heplake/schema"
)

// Exit codes of every command.
const (
	exitFound    = 0
	exitError    = 1
	exitNotFound = 3
)

// errNotFound ends a command that asked for something that is not there.
var errNotFound = errors.New("nothing found")

func main() {
	embedded.MaybeChild()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second interruption does not wait
	code := run(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string) int {
	root := newRoot()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	switch {
	case err == nil:
		return exitFound
	case errors.Is(err, errNotFound):
		fmt.Fprintln(os.Stderr, "heplake: "+oneLine(err))
		return exitNotFound
	default:
		fmt.Fprintln(os.Stderr, "heplake: "+oneLine(err))
		return exitError
	}
}

func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

// global holds the flags that every command has.
type global struct {
	configPath string
}

func newRoot() *cobra.Command {
	g := &global{}
	root := &cobra.Command{
		Use:           "heplake",
		Short:         "Months of SIP signaling in ClickHouse, one click from Grafana",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.PersistentFlags().StringVar(&g.configPath, "config", "", "settings file (default heplake.yaml here, if there is one)")
	root.AddCommand(
		newServe(g), newIngest(g), newAPI(g), newClickHouse(g), newMigrate(g), newSQL(g), newRetention(g), newHold(g), newArchive(g), newRestore(g), newReplay(), newCapture(), newPipe(), newDecode(),
		newSearch(), newFlow(), newQuality(), newExport(), newTUI(), newTop(), newVersion(),
	)
	addHelp(root)
	return root
}

// settings reads the configuration and sets up the log.
func (g *global) settings() (config.Config, *slog.Logger, error) {
	c, unknown, err := config.Load(config.Path(g.configPath), os.Environ())
	if err != nil {
		return c, nil, err
	}
	if _, err := schema.ParseTrunks(c.Trunks); err != nil {
		return c, nil, fmt.Errorf("trunks takes addresses and networks by name: %w", err)
	}
	log := newLogger(c.Log)
	slog.SetDefault(log)
	for _, name := range unknown {
		if !strings.HasPrefix(name, "HEPLAKE_TEST_") && name != envAPI && name != envMetrics {
			log.Warn("environment variable looks like a setting but is none", "name", name)
		}
	}
	return c, log, nil
}

func newLogger(c config.Log) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(c.Level)) // one of four known words
	opt := &slog.HandlerOptions{Level: level}
	if c.Format == "json" {
		return slog.New(slog.NewJSONHandler(os.Stderr, opt))
	}
	return slog.New(slog.NewTextHandler(os.Stderr, opt))
}
