// Package layout guards the shape of the tree: who may import whom. The rules
// are in docs/design.md; here each carries its reason, and a breach fails.
package layout

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/heplake/heplake/internal/captures"
)

const module = "github.com/heplake/heplake/"

// rule forbids imports to the packages below a path. A forbidden path ends in
// "/…" for everything below it. Transitive rules look through our own packages.
type rule struct {
	packages  []string
	forbidden []string
	why       string
}

var rules = []rule{
	{
		[]string{"ingest/hep", "ingest/sip", "ingest/media"},
		[]string{module + "…", "net", "net/http", "os", "io/fs", "log/slog", "time/tzdata", "github.com/prometheus/…", "github.com/ClickHouse/…", "github.com/apache/…"},
		"the codecs are bytes to values: without I/O and without our other packages they can be tested byte by byte, fuzzed, and read like their specifications",
	},
	{
		[]string{"ingest/…"},
		[]string{module + "query/…", module + "query", module + "api/…", module + "api", module + "grafana-plugin/…", "github.com/grafana/…"},
		"ingest runs alone on many machines and must not carry or break with what reads",
	},
	{
		[]string{"schema", "schema/…"},
		[]string{module + "ingest/…", module + "ingest", module + "query/…", module + "query", module + "api", module + "grafana-plugin/…", "net/http", "github.com/grafana/…"},
		"the schema is what ingest and query agree on: it depends on neither",
	},
	{
		[]string{"query", "query/…"},
		[]string{module + "ingest/…", module + "ingest", module + "api", module + "api/…", module + "grafana-plugin/…", "net/http", "github.com/apache/arrow/go/v15/arrow/array", "github.com/apache/arrow/go/v15/arrow/ipc", "github.com/grafana/…"},
		"query answers in domain values, so that the terminal, the API, Grafana and scripts get the same answer; each door speaks its own language itself",
	},
	{
		[]string{"api", "api/…"},
		[]string{module + "ingest/…", module + "ingest", module + "grafana-plugin/…", "github.com/grafana/…"},
		"the API runs alone in front of a ClickHouse: it reads, nothing else",
	},
	{
		[]string{"grafana-plugin/…"},
		[]string{module + "ingest/…", module + "ingest", module + "api", module + "api/…", module + "cmd/…"},
		"the plugin is installed in other people's Grafana: it carries the query layer and nothing that listens or writes",
	},
}

type pkg struct {
	ImportPath string
	Imports    []string
}

// packages lists our packages with their imports, tests left out.
func packages(t *testing.T) map[string]pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports", "./...")
	cmd.Dir = captures.Root()
	out, err := cmd.Output()
	if err != nil {
		var ee *exec.ExitError
		if errors.As(err, &ee) {
			t.Fatalf("go list: %v\n%s", err, ee.Stderr)
		}
		t.Fatal(err)
	}
	all := map[string]pkg{}
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all[p.ImportPath] = p
	}
}

func matches(pattern, path string) bool {
	if prefix, below := strings.CutSuffix(pattern, "…"); below {
		return strings.HasPrefix(path, prefix)
	}
	return path == pattern
}

func TestImportsFollowTheDesign(t *testing.T) {
	all := packages(t)
	for _, r := range rules {
		applied := false
		for path, p := range all {
			rel := strings.TrimPrefix(path, module)
			if !slices.ContainsFunc(r.packages, func(pattern string) bool { return matches(pattern, rel) }) {
				continue
			}
			applied = true
			for _, chain := range reached(all, p) {
				last := chain[len(chain)-1]
				for _, f := range r.forbidden {
					if matches(f, last) && last != path {
						t.Errorf("%s imports %s (%s): forbidden, because %s", rel, last, strings.Join(chain, " → "), r.why)
					}
				}
			}
		}
		if !applied {
			t.Errorf("no package matches %v: the rule guards nothing", r.packages)
		}
	}
}

// reached returns a chain of imports to each package that p imports, directly
// or through our own packages.
func reached(all map[string]pkg, p pkg) (chains [][]string) {
	seen := map[string]bool{p.ImportPath: true}
	var walk func(p pkg, chain []string)
	walk = func(p pkg, chain []string) {
		for _, imp := range p.Imports {
			if seen[imp] {
				continue
			}
			seen[imp] = true
			next := append(slices.Clone(chain), imp)
			chains = append(chains, next)
			if ours, ok := all[imp]; ok {
				walk(ours, next)
			}
		}
	}
	walk(p, nil)
	return chains
}

func TestTheBinaryCarriesNoGrafana(t *testing.T) {
	cmd := exec.Command("go", "list", "-deps", "./cmd/heplake")
	cmd.Dir = captures.Root()
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	for dep := range strings.Lines(string(out)) {
		if strings.HasPrefix(dep, "github.com/grafana/") || strings.HasPrefix(dep, "github.com/apache/arrow-go/v18") {
			t.Errorf("bin/heplake links %s: the plugin SDK belongs to the plugin's binary", strings.TrimSpace(dep))
		}
	}
}
