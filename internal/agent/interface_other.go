//go:build !linux

package agent

import "errors"

// Interface captures from a network interface; only Linux has it.
type Interface struct{}

// OpenInterface fails: capturing needs Linux.
func OpenInterface(string, *Extractor) (*Interface, error) {
	return nil, errors.New("capturing from an interface needs Linux: capture into a file with tcpdump, and read that")
}

// Start does nothing.
func (*Interface) Start() {}

// Close does nothing.
func (*Interface) Close() error { return nil }

// Stats returns nothing.
func (*Interface) Stats() TapStats { return TapStats{} }
