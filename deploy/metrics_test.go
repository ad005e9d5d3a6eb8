package deploy

import (
	"cmp"
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the table of docs/metrics.md")

// metric is one that the code declares.
type metric struct {
	name, kind, help string
	labels           []string
}

// declared finds every metric in the sources: calls of prometheus.NewDesc and of
// prometheus.NewCounter, NewGaugeVec and their like. A declaration that cannot
// be read as it stands fails the test, so that none escapes the page.
func declared(t *testing.T) map[string]metric {
	t.Helper()
	found := map[string]metric{}
	files := token.NewFileSet()
	for _, root := range []string{"api", "cmd", "ingest", "internal", "query", "schema"} {
		err := filepath.WalkDir(filepath.Join("..", root), func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if d.IsDir() && d.Name() == "node_modules" {
				return filepath.SkipDir
			}
			if d.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
				return nil
			}
			file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			vars := variables(file)
			ast.Inspect(file, func(n ast.Node) bool {
				if call, ok := n.(*ast.CallExpr); ok {
					if m, is := declaration(call, vars); is {
						if m.name == "" || m.help == "" || slices.Contains(m.labels, "") {
							t.Errorf("%s: a metric whose name, help or labels cannot be read here: %+v", files.Position(call.Pos()), m)
						}
						found[m.name] = m
					}
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(found) < 20 {
		t.Fatalf("only %d metrics found", len(found))
	}
	return found
}

var constructor = regexp.MustCompile(`^New(Counter|Gauge|Histogram|Summary)(Vec|Func)?$`)

// variables are the package's variables of the file, by name.
func variables(file *ast.File) map[string]ast.Expr {
	vars := map[string]ast.Expr{}
	for _, d := range file.Decls {
		if gen, ok := d.(*ast.GenDecl); ok {
			for _, spec := range gen.Specs {
				if v, ok := spec.(*ast.ValueSpec); ok {
					for i, value := range v.Values {
						vars[v.Names[i].Name] = value
					}
				}
			}
		}
	}
	return vars
}

func declaration(call *ast.CallExpr, vars map[string]ast.Expr) (m metric, is bool) {
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || len(call.Args) == 0 {
		return m, false
	}
	if pkg, ok := sel.X.(*ast.Ident); !ok || pkg.Name != "prometheus" {
		return m, false
	}
	if sel.Sel.Name == "NewDesc" && len(call.Args) == 4 {
		m = metric{name: literal(call.Args[0]), help: literal(call.Args[1]), labels: literals(call.Args[2], vars), kind: "gauge"}
		if strings.HasSuffix(m.name, "_total") {
			m.kind = "counter"
		}
		return m, true
	}
	c := constructor.FindStringSubmatch(sel.Sel.Name)
	if c == nil {
		return m, false
	}
	m.kind = strings.ToLower(c[1])
	if opts, ok := call.Args[0].(*ast.CompositeLit); ok {
		for _, e := range opts.Elts {
			kv, ok := e.(*ast.KeyValueExpr)
			if !ok {
				continue
			}
			switch key := kv.Key.(*ast.Ident); key.Name {
			case "Name":
				m.name = literal(kv.Value)
			case "Help":
				m.help = literal(kv.Value)
			}
		}
	}
	if c[2] == "Vec" && len(call.Args) > 1 {
		m.labels = literals(call.Args[1], vars)
	}
	return m, true
}

func literal(e ast.Expr) string {
	lit, ok := e.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return ""
	}
	s, _ := strconv.Unquote(lit.Value)
	return s
}

// literals reads a list of strings: nil, a literal, a variable of the file, a
// slice of one, or an append to one. What it cannot read is an empty string.
func literals(e ast.Expr, vars map[string]ast.Expr) (out []string) {
	switch e := e.(type) {
	case *ast.CompositeLit:
		for _, v := range e.Elts {
			out = append(out, literal(v))
		}
		return out
	case *ast.Ident:
		if e.Name == "nil" {
			return nil
		}
		if value, ok := vars[e.Name]; ok {
			return literals(value, vars)
		}
	case *ast.SliceExpr:
		all := literals(e.X, vars)
		if high, ok := e.High.(*ast.BasicLit); ok && e.Low == nil {
			if n, err := strconv.Atoi(high.Value); err == nil && n <= len(all) {
				return all[:n:n]
			}
		}
	case *ast.CallExpr:
		if f, ok := e.Fun.(*ast.Ident); ok && f.Name == "append" {
			out = literals(e.Args[0], vars)
			for _, v := range e.Args[1:] {
				out = append(out, literal(v))
			}
			return out
		}
	}
	return []string{""}
}

const (
	tableBegins = "<!-- metrics: go test ./deploy -run TestMetricsPage -update -->\n"
	tableEnds   = "<!-- end of metrics -->\n"
)

// TestMetricsPage holds docs/metrics.md against the code.
func TestMetricsPage(t *testing.T) {
	all := declared(t)
	var table strings.Builder
	table.WriteString("\n| metric | kind | labels | meaning |\n|---|---|---|---|\n")
	names := make([]string, 0, len(all))
	for name := range all {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int { // Homer's names first
		homer := func(s string) int {
			if strings.HasPrefix(s, "homer_") {
				return 0
			}
			return 1
		}
		return cmp.Or(homer(a)-homer(b), strings.Compare(a, b))
	})
	for _, name := range names {
		m := all[name]
		labels := ""
		if len(m.labels) > 0 {
			labels = "`" + strings.Join(m.labels, "`, `") + "`"
		}
		table.WriteString("| `" + name + "` | " + m.kind + " | " + labels + " | " + m.help + " |\n")
	}
	table.WriteString("\n")

	path := filepath.Join("..", "docs", "metrics.md")
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range metricName.FindAllString(string(page), -1) {
		if _, ok := family(name, all); !ok && !*update {
			t.Errorf("%s names %s, which there is not", path, name)
		}
	}
	before, rest, ok := strings.Cut(string(page), tableBegins)
	old, after, ended := strings.Cut(rest, tableEnds)
	if !ok || !ended {
		t.Fatalf("%s lacks the lines that mark its table", path)
	}
	if old == table.String() {
		return
	}
	if !*update {
		t.Fatalf("%s differs from the code: go test ./deploy -run TestMetricsPage -update", path)
	}
	if err := os.WriteFile(path, []byte(before+tableBegins+table.String()+tableEnds+after), 0o644); err != nil { //nolint:gosec // a page
		t.Fatal(err)
	}
}

var (
	metricName = regexp.MustCompile(`\b(?:heplake|homer)_[a-z0-9_]+`)
	matchers   = regexp.MustCompile(`\b((?:heplake|homer)_[a-z0-9_]+)\{([^}]*)\}`)
	matcher    = regexp.MustCompile(`(\w+)\s*(?:=~|!~|!=|=)\s*"`)
	grouping   = regexp.MustCompile(`\bby\s*\(([^)]*)\)`)
	usedLabel  = regexp.MustCompile(`\$labels\.(\w+)`)
)

// TestAlerts: every metric and label in an alert exists, the operators' three
// alerts are as they wrote them, and jobs are those that are scraped.
func TestAlerts(t *testing.T) {
	all, docs := declared(t), documents(t)
	jobs := map[string]bool{}
	for _, c := range list(docs["prometheus/scrape.yaml"][0], "scrape_configs") {
		jobs[text(c, "job_name")] = true
	}
	exprs := map[string]string{}
	for _, group := range list(docs["prometheus/alerts.yaml"][0], "groups") {
		for _, rule := range list(group, "rules") {
			name, expr := text(rule, "alert"), text(rule, "expr")
			if name == "" || expr == "" || exprs[name] != "" || text(rule, "annotations", "summary") == "" {
				t.Errorf("alert %q lacks its name, expression or summary, or is there twice", name)
			}
			exprs[name] = expr
			checkExpr(t, name, expr, all, jobs)
			known := labelsOf(expr, all)
			for _, annotation := range []string{"summary", "description"} {
				for _, m := range usedLabel.FindAllStringSubmatch(text(rule, "annotations", annotation), -1) {
					if !slices.Contains(known, m[1]) {
						t.Errorf("%s: its %s uses label %s, which the expression has not", name, annotation, m[1])
					}
				}
			}
		}
	}
	for name, want := range map[string]string{
		"HomerCaptureDown":    `up{job="homer-collector"} == 0`,
		"HomerHighPacketLoss": `rate(homer_capture_errors_total[5m]) > 100`,
		"HomerStorageFull":    `homer_storage_used_percent > 90`,
	} {
		if exprs[name] != want {
			t.Errorf("%s is %q, the operators' is %q", name, exprs[name], want)
		}
	}
}

// family is the metric of a series name: those of a histogram end in a suffix.
func family(name string, all map[string]metric) (metric, bool) {
	m, ok := all[name]
	for _, suffix := range []string{"_bucket", "_sum", "_count"} {
		if !ok && strings.HasSuffix(name, suffix) {
			if m, ok = all[strings.TrimSuffix(name, suffix)]; ok && m.kind != "histogram" {
				return m, false
			}
		}
	}
	return m, ok
}

// labelsOf are the labels of an expression's result: those it groups by, else
// those of its metrics.
func labelsOf(expr string, all map[string]metric) []string {
	if g := grouping.FindStringSubmatch(expr); g != nil {
		return strings.FieldsFunc(g[1], func(r rune) bool { return r == ',' || r == ' ' })
	}
	labels := []string{"instance", "job"}
	for _, name := range metricName.FindAllString(expr, -1) {
		m, _ := family(name, all)
		labels = append(labels, m.labels...)
	}
	return labels
}

func checkExpr(t *testing.T, alert, expr string, all map[string]metric, jobs map[string]bool) {
	t.Helper()
	if strings.Count(expr, "(") != strings.Count(expr, ")") || strings.Count(expr, "[") != strings.Count(expr, "]") {
		t.Errorf("%s: brackets do not match in %s", alert, expr)
	}
	var labels []string
	for _, name := range metricName.FindAllString(expr, -1) {
		m, ok := family(name, all)
		if !ok {
			t.Errorf("%s: there is no metric %s", alert, name)
		}
		if m.kind == "gauge" && strings.Contains(expr, "rate("+name) {
			t.Errorf("%s takes the rate of %s, a gauge", alert, name)
		}
		labels = append(labels, m.labels...)
	}
	for _, m := range matchers.FindAllStringSubmatch(expr, -1) {
		of, _ := family(m[1], all)
		for _, l := range matcher.FindAllStringSubmatch(m[2], -1) {
			if !slices.Contains(of.labels, l[1]) {
				t.Errorf("%s: %s has no label %s", alert, m[1], l[1])
			}
		}
	}
	for _, g := range grouping.FindAllStringSubmatch(expr, -1) {
		for _, l := range strings.FieldsFunc(g[1], func(r rune) bool { return r == ',' || r == ' ' }) {
			if !slices.Contains(labels, l) && l != "instance" && l != "job" && l != "le" {
				t.Errorf("%s groups by %s, which no metric in it has", alert, l)
			}
		}
	}
	for _, m := range regexp.MustCompile(`job="([^"]*)"`).FindAllStringSubmatch(expr, -1) {
		if !jobs[m[1]] {
			t.Errorf("%s: no job %s is scraped", alert, m[1])
		}
	}
}
