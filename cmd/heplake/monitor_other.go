//go:build !linux

package main

// slowMonitor does nothing: a thread's timers are the system's own affair here.
func slowMonitor() {}
