package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/heplake/heplake/internal/cli"
)

// ours are the commands that we wrote, and theirs below them: cobra's completion
// has texts of its own.
func ours() []*cobra.Command {
	var all func(c *cobra.Command) []*cobra.Command
	all = func(c *cobra.Command) (out []*cobra.Command) {
		for _, sub := range c.Commands() {
			if sub.Name() != "completion" {
				out = append(append(out, sub), all(sub)...)
			}
		}
		return out
	}
	return all(newRoot())
}

var (
	exampleStart = regexp.MustCompile(`(?:^|\s)heplake\s`)
	exampleArg   = regexp.MustCompile(`'[^']*'|"[^"]*"|\S+`)
)

// Every command shows examples, and they are right: the command, its flags and
// its filters are what there is.
func TestExamples(t *testing.T) {
	for _, c := range ours() {
		if c.Example == "" || c.Short == "" {
			t.Errorf("%s has no example, or nothing that says what it does", c.CommandPath())
		}
		for _, line := range strings.Split(c.Example, "\n") {
			var args []string
			for _, part := range strings.Split(line, "|") {
				if at := exampleStart.FindStringIndex(part); at != nil {
					args = exampleArg.FindAllString(part[at[0]:], -1)
					break
				}
			}
			if len(args) < 2 {
				t.Errorf("%s: the example %q is of nothing", c.CommandPath(), line)
				continue
			}
			shown, rest, err := c.Root().Find(args[1:])
			if err != nil || shown.CommandPath() != c.CommandPath() && !strings.HasPrefix(shown.CommandPath(), c.CommandPath()+" ") {
				t.Errorf("%s: the example %q is of something else", c.CommandPath(), line)
				continue
			}
			var filter []string
			for i, a := range rest {
				if a == ">" {
					break
				}
				name, _, _ := strings.Cut(strings.TrimLeft(a, "-"), "=")
				switch {
				case strings.HasPrefix(a, "--"):
					if shown.Flags().Lookup(name) == nil && shown.InheritedFlags().Lookup(name) == nil {
						t.Errorf("%s has no flag %s: %q", c.Name(), a, line)
					}
				case strings.HasPrefix(a, "-") && a != "-":
					if shown.Flags().ShorthandLookup(name) == nil {
						t.Errorf("%s has no flag %s: %q", c.Name(), a, line)
					}
				case (c.Name() == "search" || c.Name() == "tui") && !strings.HasPrefix(rest[max(i-1, 0)], "-"):
					filter = append(filter, strings.Trim(a, "'"))
				}
			}
			if _, err := cli.CheckFilter(cli.JoinFilter(filter)); err != nil {
				t.Errorf("%v: %q", err, line)
			}
		}
	}
}

func TestManPages(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "man1")
	root := newRoot()
	root.SetArgs([]string{"help", "--man", dir})
	if err := root.Execute(); err != nil {
		t.Fatal(err)
	}
	for _, c := range ours() {
		if c.Name() == "help" {
			continue
		}
		b, err := os.ReadFile(filepath.Join(dir, strings.ReplaceAll(c.CommandPath(), " ", "-")+".1"))
		if err != nil || !bytes.Contains(b, []byte(".SH EXAMPLE")) {
			t.Errorf("%s: %v, or no examples", c.Name(), err)
		}
	}
}

func complete(t *testing.T, args ...string) []string {
	t.Helper()
	root := newRoot()
	var out bytes.Buffer
	root.SetOut(&out)
	root.SetErr(io.Discard)
	root.SetArgs(append([]string{"__completeNoDesc"}, args...))
	if err := root.Execute(); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	lines = lines[:len(lines)-1] // the last one is for the shell's script
	// The script leaves out what does not begin with what is there.
	return slices.DeleteFunc(lines, func(l string) bool { return !strings.HasPrefix(l, args[len(args)-1]) })
}

func TestCompletion(t *testing.T) {
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if got := r.URL.Query().Get("filter"); got != `call_id like "a\\_b%"` {
			http.Error(w, got, http.StatusBadRequest)
			return
		}
		_, _ = io.WriteString(w, `{"calls":[{"call_ids":["a_b1@x","other@x"],"from_user":"alice"},{"call_ids":["a_b2@x"]}]}`)
	}))
	defer api.Close()
	for _, c := range []struct {
		args, want []string
	}{
		{[]string{"search", "from_us"}, []string{"from_user"}},
		{[]string{"tui", "method = INVITE an"}, []string{"method = INVITE and"}},
		{[]string{"search", "outcome = c"}, []string{"outcome = cancelled"}},
		{[]string{"search", "x", "--since", "yes"}, []string{"yesterday"}},
		{[]string{"search", "x", "--until", "n"}, []string{"now"}},
		{[]string{"search", "-o", ""}, []string{"table", "json", "csv"}},
		{[]string{"flow", "-o", "s"}, []string{"svg"}},
		{[]string{"flow", "--time", "a"}, []string{"absolute"}},
		{[]string{"help", "qual"}, []string{"quality"}},
		{[]string{"flow", "--api", api.URL, "a_b"}, []string{"a_b1@x", "a_b2@x"}},
		{[]string{"quality", "--api", "http://127.0.0.1:1", "a_b"}, nil},
		{[]string{"search", "method", "=", "INVITE", "an"}, []string{"and"}},
		{[]string{"search", "method", "=", "INVITE", "and", "outcome", "=", "fai"}, []string{"failed"}},
	} {
		if got := complete(t, c.args...); !slices.Equal(got, c.want) && len(got)+len(c.want) > 0 {
			t.Errorf("%q: %q, want %q", c.args, got, c.want)
		}
	}
}

// A command that is used wrongly says how it is used, on one line.
func TestWrongUse(t *testing.T) {
	for want, args := range map[string][]string{
		"flow takes one Call-ID":    {"flow"},
		"quality takes one Call-ID": {"quality", "a", "b"},
	} {
		root := newRoot()
		root.SetArgs(args)
		root.SetOut(io.Discard)
		if err := root.Execute(); err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v, want %q", args, err, want)
		}
	}
}
