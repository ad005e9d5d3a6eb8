package embedded

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"github.com/creack/pty"
	"github.com/ebitengine/purego"
)

const (
	// childArg is the child's first argument: it shows in ps and, with
	// childEnv, marks the process as the engine.
	childArg = "clickhouse-engine"
	childEnv = "HEPLAKE_ENGINE_CHILD"

	// Descriptors the parent hands down (exec.Cmd.ExtraFiles).
	lockFD = 3 // lock on the data directory; only held, never used
	liveFD = 4 // read end of a pipe that ends with the parent

	// Exit codes of the child.
	exitClean   = 0
	exitEngine  = 1 // the engine ended with an error, which is on stderr
	exitLibrary = 2 // the library cannot be loaded
	exitStuck   = 3 // the engine did not shut down in time
)

// MaybeChild turns the process into the engine if [Start] executed it for that,
// and does not return then. Otherwise it does nothing. Call it first in main
// and in TestMain, before flags are read.
func MaybeChild() {
	if os.Getenv(childEnv) == "" || len(os.Args) < 2 || os.Args[1] != childArg {
		return
	}
	os.Exit(childMain(os.Args[2:]))
}

// childArgs are the arguments after childArg.
func childArgs(library string, c Config) []string {
	return []string{library, c.configPath(), c.dataDir(), c.StopTimeout.String(), strconv.Itoa(c.Niceness)}
}

func childMain(args []string) int {
	if len(args) != 5 {
		fmt.Fprintf(os.Stderr, "%s is started by heplake itself, with 5 arguments, not %d\n", childArg, len(args))
		return exitEngine
	}
	library, config, data := args[0], args[1], args[2]
	grace, err := time.ParseDuration(args[3])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return exitEngine
	}
	niceness, err := strconv.Atoi(args[4])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return exitEngine
	}

	e, err := loadEngine(library)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return exitLibrary
	}

	// clickhouse-local without a terminal is made for scripts: it sets an
	// error handler that ends the process on the first exception of any
	// connection, such as a port scan or a client that broke off. At a prompt
	// it does not. So the engine gets a terminal, sits at its prompt while the
	// listeners work, and shuts down cleanly at the end of input.
	terminal, prompt, err := pty.Open()
	if err != nil {
		fmt.Fprintln(os.Stderr, "the engine needs a pseudo-terminal:", err)
		return exitEngine
	}
	if err := dup2(int(prompt.Fd()), 0); err != nil {
		fmt.Fprintln(os.Stderr, "pseudo-terminal:", err)
		return exitEngine
	}
	_ = prompt.Close()
	var asked atomic.Bool // the shutdown was asked for
	shutdown := func() {
		if asked.CompareAndSwap(false, true) {
			_ = terminal.Close()
			time.AfterFunc(grace, func() {
				fmt.Fprintf(os.Stderr, "engine did not shut down within %s\n", grace)
				os.Exit(exitStuck)
			})
		}
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.NewFile(liveFD, "parent"))
		shutdown()
	}()
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM, syscall.SIGCONT)
	parent := os.Getppid()
	go func() {
		for s := range term {
			// After each pause the child is told to go on; at the parent's death, too.
			if s == syscall.SIGTERM || os.Getppid() != parent {
				shutdown()
			}
		}
	}()
	// The parent decides when to stop; a Ctrl-C in the terminal is for it.
	signal.Ignore(syscall.SIGINT, syscall.SIGHUP, syscall.SIGPIPE)

	if err := dropLogTables(data); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return exitEngine
	}
	err = e.run(niceness, []string{
		"clickhouse",
		"--config-file=" + config,
		"--path=" + data,
		"--interactive", "--disable_suggestion", "--progress=off", "--history_file=/dev/null",
		"--query", "SYSTEM START LISTEN TCP; SYSTEM START LISTEN HTTP",
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return exitEngine
	}
	if !asked.Load() {
		// The engine reports what goes wrong at its start on stderr alone.
		return exitEngine
	}
	return exitClean
}

// dropLogTables removes what the logs in tables of system left behind:
// clickhouse-local forgets the tables of database system when it ends, and would
// not make them anew where there are files.
func dropLogTables(data string) error {
	for _, table := range []string{"query_log", "part_log", "query_views_log"} {
		if err := os.RemoveAll(filepath.Join(data, "data", "system", table)); err != nil {
			return fmt.Errorf("logs of the last run: %w", err)
		}
	}
	return nil
}

// engine is libchdb: clickhouse-local behind a C function.
type engine struct {
	queryCmdline func(argc int32, argv unsafe.Pointer) uintptr
	resultError  func(result uintptr) string
}

func loadEngine(library string) (*engine, error) {
	h, err := purego.Dlopen(library, purego.RTLD_NOW|purego.RTLD_GLOBAL)
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", library, err)
	}
	e := new(engine)
	for name, fn := range map[string]any{
		"chdb_query_cmdline": &e.queryCmdline,
		"chdb_result_error":  &e.resultError,
	} {
		sym, err := purego.Dlsym(h, name)
		if err != nil {
			return nil, fmt.Errorf("%s is not a libchdb heplake knows: %w", library, err)
		}
		purego.RegisterFunc(fn, sym)
	}
	return e, nil
}

// run calls the engine with a command line and returns when its queries ended.
func (e *engine) run(niceness int, args []string) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if niceness > 0 {
		stepBack(niceness)
	}

	// The library sees a C argv: pointers to NUL-terminated strings and a nil.
	// It keeps none of it after the call.
	argv := make([]*byte, len(args)+1)
	var pin runtime.Pinner
	defer pin.Unpin()
	for i, a := range args {
		b := append([]byte(a), 0)
		argv[i] = &b[0]
		pin.Pin(argv[i])
	}
	pin.Pin(&argv[0])

	result := e.queryCmdline(int32(len(args)), unsafe.Pointer(&argv[0]))
	if result == 0 {
		return fmt.Errorf("engine gave no result")
	}
	if msg := e.resultError(result); msg != "" {
		return fmt.Errorf("engine: %s", msg)
	}
	return nil
}
