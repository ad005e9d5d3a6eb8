package chtest

import (
	"net"
	"testing"
)

// FreeAddr returns a loopback address (host:port) nobody listens on now. It can
// be taken before its use: ask for it as late as possible.
func FreeAddr(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}
