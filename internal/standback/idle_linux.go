package standback

import (
	"bytes"
	"os"
	"strconv"
	"time"
)

// idleTime reads how long all processors together have been idle since the machine
// started (/proc/stat, proc_stat(5)).
func idleTime() (time.Duration, bool) {
	f, err := os.Open("/proc/stat")
	if err != nil {
		return 0, false
	}
	defer func() { _ = f.Close() }()
	var buf [256]byte // the first line, which is the sum
	n, err := f.Read(buf[:])
	if err != nil {
		return 0, false
	}
	return parseIdle(buf[:n])
}

// parseIdle takes the idle time out of the first line of /proc/stat. Waiting for a
// disk is idle, too.
func parseIdle(stat []byte) (time.Duration, bool) {
	const name, idle, iowait, tick = "cpu", 4, 5, 10 * time.Millisecond
	line, _, _ := bytes.Cut(stat, []byte("\n"))
	fields := bytes.Fields(line)
	if len(fields) <= iowait || string(fields[0]) != name {
		return 0, false
	}
	a, errA := strconv.ParseInt(string(fields[idle]), 10, 64)
	b, errB := strconv.ParseInt(string(fields[iowait]), 10, 64)
	return time.Duration(a+b) * tick, errA == nil && errB == nil
}
