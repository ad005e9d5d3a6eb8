//go:build linux

package kill

import (
	_ "embed"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/heplake/heplake/internal/captures"
)

var (
	//go:embed testdata/clock.c
	clockSource []byte
	//go:embed testdata/preload.go.txt
	preloadSource string
)

// shift is the clock of a heplake and its engine, which a test sets.
type shift struct{ path string }

// buildShifted makes a heplake that goes by such a clock: the same source, and a
// file beside it that loads testdata/clock.c first.
func buildShifted(t *testing.T) (binary string, clock *shift) {
	t.Helper()
	if runtime.GOARCH != "amd64" {
		t.Skip("the test's clock is made for x86-64")
	}
	compiler, err := exec.LookPath("cc")
	if err != nil {
		t.Skip("no C compiler for the test's clock:", err)
	}
	dir := t.TempDir()
	clock = &shift{filepath.Join(dir, "offset")}
	clock.set(t, 0)
	source, library, added := filepath.Join(dir, "clock.c"), filepath.Join(dir, "clock.so"), filepath.Join(dir, "preload.go")
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {filepath.Join(captures.Root(), "cmd", "heplake", "preload.go"): added}})
	if err != nil {
		t.Fatal(err)
	}
	for path, content := range map[string][]byte{source: clockSource, added: fmt.Appendf(nil, preloadSource, library), filepath.Join(dir, "overlay.json"): overlay} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	binary = filepath.Join(dir, "heplake")
	for _, args := range [][]string{
		{compiler, "-O2", "-Wall", "-Werror", "-shared", "-fPIC", fmt.Sprintf("-DCLOCK=%q", clock.path), "-o", library, source, "-ldl"},
		{"go", "build", "-overlay", filepath.Join(dir, "overlay.json"), "-o", binary, "./cmd/heplake"},
	} {
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Dir = captures.Root()
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
	}
	return binary, clock
}

// set has the clock differ from the true one by so much, in whole seconds.
func (s *shift) set(t *testing.T, d time.Duration) {
	t.Helper()
	f, err := os.OpenFile(s.path, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if _, err := f.WriteAt(binary.NativeEndian.AppendUint64(nil, uint64(d/time.Second)), 0); err != nil {
		t.Fatal(err)
	}
}
