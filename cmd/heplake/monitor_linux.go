package main

import (
	"os"
	"strconv"
	"time"
)

// monitorSlack is by how much the wake-ups of the Go runtime's monitor may be
// late. It looks after the processors every 20 µs at first after each wake-up of
// the process, and up to 10 ms apart while there is nothing to do: of what a
// message costs at 5,000 a second that was a twelfth. Threads that it starts
// inherit the slack, which adds to a receiving worker's pauses: sockets' buffers
// hold more than that.
const monitorSlack = 4 * time.Millisecond

// slowMonitor lets the kernel put wake-ups of the runtime's monitor together with
// others (timerslack_ns, proc_pid_timerslack_ns(5)). Without CAP_SYS_NICE it
// stays as it is. It is for when all else has started: processes that are started
// later may inherit the slack too.
func slowMonitor() {
	const tasks = "/proc/self/task"
	entries, err := os.ReadDir(tasks)
	if err != nil {
		return
	}
	// The monitor is the first thread that the runtime starts, before any code of
	// the program runs.
	monitor, process := 0, os.Getpid()
	for _, e := range entries {
		if id, err := strconv.Atoi(e.Name()); err == nil && id != process && (monitor == 0 || id < monitor) {
			monitor = id
		}
	}
	slack := strconv.FormatInt(monitorSlack.Nanoseconds(), 10)
	_ = os.WriteFile("/proc/"+strconv.Itoa(monitor)+"/timerslack_ns", []byte(slack), 0)
}
