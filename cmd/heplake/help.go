package main

import (
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/heplake/heplake/internal/version"
)

// examples are those of commands that have few flags of their own.
var examples = map[string]string{
	"serve": `  heplake serve
  HEPLAKE_DATA_DIR=/var/lib/heplake HEPLAKE_HEP_UDP=:9060 heplake serve
  heplake serve --config /etc/heplake/heplake.yaml`,
	"ingest": `  HEPLAKE_CLICKHOUSE_URL=http://writer:secret@ch1:8123/heplake heplake ingest`,
	"api":    `  HEPLAKE_CLICKHOUSE_URL=http://reader:secret@ch1:8123/heplake heplake api`,
	"clickhouse": `  heplake clickhouse
  HEPLAKE_EMBEDDED_HTTP=127.0.0.1:8124 heplake clickhouse`,
	"migrate": `  heplake migrate --plan
  heplake migrate`,
	"version": `  heplake version`,
}

// addHelp gives every command examples, and the root a help command that can
// write man pages.
func addHelp(root *cobra.Command) {
	for _, c := range root.Commands() {
		if c.Example == "" {
			c.Example = examples[c.Name()]
		}
	}
	var man string
	help := &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Tell what a command does, or write man pages",
		Example: `  heplake help flow
  heplake help --man /usr/local/share/man/man1`,
		RunE: func(_ *cobra.Command, args []string) error {
			if man != "" {
				return manPages(root, man)
			}
			c, rest, err := root.Find(args)
			if err != nil || len(rest) > 0 {
				return fmt.Errorf("there is no command %q; heplake help lists them", args)
			}
			c.InitDefaultHelpFlag()
			return c.Help()
		},
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			var out []string
			for _, c := range root.Commands() {
				if len(args) == 0 && c.IsAvailableCommand() {
					out = append(out, c.Name()+"\t"+c.Short)
				}
			}
			return out, cobra.ShellCompDirectiveNoFileComp
		},
	}
	help.Flags().StringVar(&man, "man", "", "write a man page for each command into this folder")
	_ = help.MarkFlagDirname("man")
	root.SetHelpCommand(help)
}

// manPages writes a page for each command.
func manPages(root *cobra.Command, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // man pages are for everyone
		return err
	}
	root.DisableAutoGenTag = true // the same version gives the same pages
	built := time.Unix(0, 0).UTC()
	header := &doc.GenManHeader{Title: "HEPLAKE", Section: "1", Source: "heplake " + version.Version, Manual: "heplake", Date: &built}
	if err := doc.GenManTree(root, header, dir); err != nil {
		return fmt.Errorf("man pages: %w", err)
	}
	return nil
}
