//go:build !linux

package spool

import "errors"

func mountTmpfs(string, string) error { return errors.New("no tmpfs on this system") }

func unmount(string) error { return nil }
