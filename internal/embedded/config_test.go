package embedded

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestParseAddresses(t *testing.T) {
	for _, test := range []struct {
		http, tcp string
		want      addresses
		dial      string
		err       string
	}{
		{"", "", addresses{"127.0.0.1", 0, 0}, "127.0.0.1", ""},
		{"127.0.0.1:8123", "127.0.0.1:9000", addresses{"127.0.0.1", 8123, 9000}, "127.0.0.1", ""},
		{"localhost:0", "localhost:0", addresses{"localhost", 0, 0}, "localhost", ""},
		{":8123", ":9000", addresses{"0.0.0.0", 8123, 9000}, "127.0.0.1", ""},
		{"[::]:8123", "[::]:9000", addresses{"::", 8123, 9000}, "::1", ""},
		{"127.0.0.1:1", "127.0.0.1:1", addresses{}, "", "cannot share"},
		{"127.0.0.1:1", "10.0.0.1:2", addresses{}, "", "same host"},
		{"8123", "", addresses{}, "", "missing port"},
		{"127.0.0.1:http", "", addresses{}, "", "not a number"},
		{"", "127.0.0.1:65536", addresses{}, "", "not a number"},
	} {
		got, err := parseAddresses(test.http, test.tcp)
		if test.err != "" {
			if err == nil || !strings.Contains(err.Error(), test.err) {
				t.Errorf("%q, %q: error %v, want %q", test.http, test.tcp, err, test.err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q, %q: %v", test.http, test.tcp, err)
			continue
		}
		if got != test.want || got.dialHost() != test.dial {
			t.Errorf("%q, %q: %+v, dial %s", test.http, test.tcp, got, got.dialHost())
		}
	}
}

func TestNPMPackage(t *testing.T) {
	for _, test := range [][3]string{
		{"linux", "amd64", "lib-linux-x64-gnu"},
		{"linux", "arm64", "lib-linux-arm64-gnu"},
		{"darwin", "amd64", "lib-darwin-x64"},
		{"darwin", "arm64", "lib-darwin-arm64"},
	} {
		if got := npmPackage(test[0], test[1]); got != test[2] {
			t.Errorf("%s/%s: %s, want %s", test[0], test[1], got, test[2])
		}
	}
}

func TestFindLibrary(t *testing.T) {
	dir := t.TempDir()
	first, second := filepath.Join(dir, "a", "libchdb.so"), filepath.Join(dir, "b", "libchdb.so")
	_, err := findIn([]string{first, second})
	if err == nil {
		t.Fatal("found a library that is not there")
	}
	for _, want := range []string{"make engine", "embedded.library", "HEPLAKE_EMBEDDED_LIBRARY", "clickhouse.url", first, second} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error lacks %q: %v", want, err)
		}
	}
	for _, path := range []string{second, first} { // the first one in the list wins
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := findIn([]string{first, second}); err != nil || got != path {
			t.Errorf("found %q, %v; want %q", got, err, path)
		}
	}
	if got, err := FindLibrary(second); err != nil || got != second {
		t.Errorf("given %q: %q, %v", second, got, err)
	}
	if _, err := FindLibrary(dir); err == nil {
		t.Error("took a directory for a library")
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if c := libraryCandidates(); c[0] != filepath.Join(filepath.Dir(exe), "libchdb.so") {
		t.Errorf("looks for %s first, not beside the executable", c[0])
	}
}

func TestTail(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	if got := tail(path, 0, 3); got != nil {
		t.Errorf("no file: %q", got)
	}
	if err := os.WriteFile(path, []byte("one\ntwo\nthree\nfour\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		from int64
		n    int
		want []string
	}{
		{0, 2, []string{"three", "four"}},
		{0, 9, []string{"one", "two", "three", "four"}},
		{8, 9, []string{"three", "four"}},
		{19, 9, nil},                                     // nothing written since
		{99, 9, []string{"one", "two", "three", "four"}}, // rotated since
	} {
		if got := tail(path, test.from, test.n); !slices.Equal(got, test.want) {
			t.Errorf("from %d, %d lines: %q, want %q", test.from, test.n, got, test.want)
		}
	}
}
