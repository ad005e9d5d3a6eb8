package query

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestFindingsAreDocumented: every code is in docs/findings.md, and no other.
func TestFindingsAreDocumented(t *testing.T) {
	doc, err := os.ReadFile("../docs/findings.md")
	if err != nil {
		t.Fatal(err)
	}
	sources, err := filepath.Glob("explain*.go")
	if err != nil {
		t.Fatal(err)
	}
	var source strings.Builder
	for _, path := range sources {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		source.Write(b)
	}
	word := regexp.MustCompile("^[a-z]+(?:_[a-z]+)*$")
	documented := map[string]bool{}
	for _, line := range strings.Split(string(doc), "\n") {
		cells := strings.Split(line, "|")
		if len(cells) < 3 {
			continue
		}
		for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cells[1], -1) {
			documented[m[1]] = true
			if !strings.Contains(source.String(), `"`+m[1]+`"`) {
				t.Errorf("no finding has the code %s", m[1])
			}
		}
	}
	// Codes stand where findings and refusals are made.
	codes := regexp.MustCompile(`(?:about\(\w+, |add\(|hop\(|Code: |code = |code := |code, \w+ (?::=|=) |code, \w+, \w+ (?::=|=) |Code, f\.Severity = |\d{3}: \{|refusal\{)"([a-z_0-9]+)"`)
	found := codes.FindAllStringSubmatch(source.String(), -1)
	for _, m := range found {
		if word.MatchString(m[1]) && !documented[m[1]] {
			t.Errorf("docs/findings.md lacks %s", m[1])
		}
	}
	if len(found) < 80 {
		t.Errorf("%d codes in the source: the pattern is broken", len(found))
	}
}
