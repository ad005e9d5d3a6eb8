package latency

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Save writes the result into dir and returns the file's name.
func (r *Result) Save(dir string) (string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, fmt.Sprintf("%s-%s-latency.json", r.Date.UTC().Format("20060102T150405"), r.Commit))
	return path, os.WriteFile(path, append(b, '\n'), 0o644)
}

// Table is the result as a table in Markdown.
func (r *Result) Table() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d messages, %d calls, %d days, %d parts of sip; %d rounds; %s; load %s\n\n", r.Messages, r.Calls, r.Days, r.Parts, r.Rounds, r.Commit, r.Machine.Load)
	b.WriteString("| answer | least, ms | p50, ms | p95, ms | server's CPU, ms | of that planning, ms | queries | rows read | granules |\n|---|---|---|---|---|---|---|---|---|\n")
	for _, a := range r.Answers {
		fmt.Fprintf(&b, "| %s | %.0f | %.0f | %.0f | %.0f | %.0f | %.1f | %.0f | %.0f |\n", a.Name, a.LeastMs, a.P50Ms, a.P95Ms, a.CPUMs, a.PlanMs, a.Queries, a.ReadRows, a.Granules)
	}
	return b.String()
}
