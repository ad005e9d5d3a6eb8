package main

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/heplake/heplake/internal/embedded"
	"github.com/heplake/heplake/internal/version"
)

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print version, commit and engine",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			engine := version.Engine
			if library, err := embedded.FindLibrary(""); err == nil {
				engine += " at " + library
			} else {
				engine += ", library not installed"
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "heplake %s\ncommit  %s\nengine  %s\ngo      %s %s/%s\n",
				version.Version, version.Revision(), engine, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return err
		},
	}
}
