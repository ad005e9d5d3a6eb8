package embedded

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// FindLibrary returns the path of libchdb.
//
// A path given is taken or refused, nothing else is tried. Otherwise it is
// looked for beside the executable, where `make build` puts it, and then in the
// source tree this binary was compiled from, where npm puts it; the latter
// serves tests and `go run` and finds nothing in a binary built with -trimpath.
// The working directory is not searched: whoever can write there could make
// heplake load a library of theirs.
//
// The error says which command fetches the library and which setting names one.
func FindLibrary(given string) (string, error) {
	if given != "" {
		path, err := filepath.Abs(given)
		if err == nil {
			err = isFile(path)
		}
		if err != nil {
			return "", fmt.Errorf("embedded clickhouse: library named by embedded.library (HEPLAKE_EMBEDDED_LIBRARY): %w", err)
		}
		return path, nil
	}
	return findIn(libraryCandidates())
}

func findIn(candidates []string) (string, error) {
	for _, c := range candidates {
		if isFile(c) == nil {
			return c, nil
		}
	}
	return "", fmt.Errorf("embedded clickhouse: libchdb is not installed: run `make engine`, "+
		"or name the library with embedded.library (HEPLAKE_EMBEDDED_LIBRARY), "+
		"or use another ClickHouse with clickhouse.url (HEPLAKE_CLICKHOUSE_URL); looked for %s",
		strings.Join(candidates, ", "))
}

func libraryCandidates() []string {
	var dirs []string
	if exe, err := os.Executable(); err == nil {
		dirs = append(dirs, filepath.Dir(exe))
		// A link in /usr/local/bin points to the place of installation.
		if real, err := filepath.EvalSymlinks(exe); err == nil && filepath.Dir(real) != dirs[0] {
			dirs = append(dirs, filepath.Dir(real))
		}
	}
	if _, file, _, ok := runtime.Caller(0); ok && filepath.IsAbs(file) {
		dirs = append(dirs, filepath.Join(filepath.Dir(file), "npm", "node_modules", "@chdb",
			npmPackage(runtime.GOOS, runtime.GOARCH)))
	}
	var out []string
	for _, d := range dirs {
		// The packages call it .so on macOS too; .dylib is what builds from
		// source produce there.
		out = append(out, filepath.Join(d, "libchdb.so"))
		if runtime.GOOS == "darwin" {
			out = append(out, filepath.Join(d, "libchdb.dylib"))
		}
	}
	return out
}

// npmPackage is the name below @chdb of the package for a platform.
func npmPackage(goos, goarch string) string {
	arch := goarch
	if arch == "amd64" {
		arch = "x64"
	}
	if goos == "linux" {
		return "lib-linux-" + arch + "-gnu"
	}
	return "lib-" + goos + "-" + arch
}

func isFile(path string) error {
	st, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !st.Mode().IsRegular() {
		return fmt.Errorf("%s is not a file", path)
	}
	return nil
}
