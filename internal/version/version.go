// Package version says which heplake this is.
package version

import "runtime/debug"

// Version and Commit are set by the build (see the Makefile).
var (
	Version = "dev"
	Commit  = ""
)

// Engine is the ClickHouse that the embedded engine is pinned to
// (internal/embedded/npm).
const Engine = "ClickHouse 26.7.3 (libchdb)"

// Revision is the commit the binary was built from, "unknown" when the build
// did not say.
func Revision() string {
	if Commit != "" {
		return Commit
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				return s.Value
			}
		}
	}
	return "unknown"
}
