//go:build !linux

package listen

import (
	"errors"
	"net"
)

func listenSCTP(string) (net.Listener, error) {
	return nil, errors.New("HEP over SCTP needs Linux: leave hep.sctp off")
}
