package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/heplake/heplake/internal/captures"
	"github.com/heplake/heplake/internal/chtest"
	"github.com/heplake/heplake/internal/embedded"
)

// envBinary names the heplake to test; without it one is built.
const envBinary = "HEPLAKE_E2E_BINARY"

// The heplake under test, and the engine's library for it.
var executable, library string

func TestMain(m *testing.M) {
	embedded.MaybeChild()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "heplake-e2e-")
	if err == nil {
		defer func() { _ = os.RemoveAll(dir) }()
		err = prepare(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		return 1
	}
	return chtest.Run(m)
}

// prepare builds the binary, which costs a second when nothing changed, and
// finds the engine.
func prepare(dir string) (err error) {
	if library, err = embedded.FindLibrary(os.Getenv("HEPLAKE_EMBEDDED_LIBRARY")); err != nil {
		return err
	}
	if executable = os.Getenv(envBinary); executable != "" {
		if executable, err = filepath.Abs(executable); err == nil {
			_, err = os.Stat(executable)
		}
		return err
	}
	executable = filepath.Join(dir, "heplake")
	build := exec.Command("go", "build", "-trimpath", "-o", executable, "./cmd/heplake")
	build.Dir, build.Env = captures.Root(), append(os.Environ(), "CGO_ENABLED=0")
	var said bytes.Buffer
	build.Stdout, build.Stderr = &said, &said
	if err := build.Run(); err != nil {
		return fmt.Errorf("build heplake: %w\n%s", err, said.Bytes())
	}
	return nil
}

// packages are Debian's names for what has the programs.
var packages = map[string]string{"kamailio": "kamailio", "sipp": "sip-tester", "rtpengine": "rtpengine-daemon"}

// need returns the path of a program, or ends the test.
func need(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		// Daemons are not on every user's PATH.
		path, err = exec.LookPath(filepath.Join("/usr/sbin", program))
	}
	if err == nil {
		return path
	}
	missing := fmt.Sprintf("%s is not installed: `make test` installs it, as does `apt-get install %s`", program, packages[program])
	if os.Getenv("CI") == "true" || os.Getenv("HEPLAKE_E2E") == "1" {
		t.Fatal(missing)
	}
	t.Skip(missing)
	return ""
}
