//go:build !linux

package standback

import "time"

// idleTime is not known here.
func idleTime() (time.Duration, bool) { return 0, false }
