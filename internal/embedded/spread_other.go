//go:build unix && !linux

package embedded

// seeksInodes says no: see spreadParts.
func seeksInodes(string) bool { return false }

func markTop(string) error { return nil }
