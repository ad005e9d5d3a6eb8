package export

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/heplake/heplake/query"
)

// DefaultMaxPause is SIPpOptions.MaxPause when that is 0.
const DefaultMaxPause = 10 * time.Second

// ErrNoScenario is wrapped by the errors of SIPp that say why a call cannot be
// played.
var ErrNoScenario = errors.New("no SIPp scenario can be made")

// SIPpOptions say what SIPp writes. The zero value takes the first leg.
type SIPpOptions struct {
	// Leg is the index of the leg in Flow.Legs whose opening hop is played.
	Leg int
	// MaxPause is the longest pause between two messages; longer ones are cut to
	// it. DefaultMaxPause when 0.
	MaxPause time.Duration
}

// SIPp writes a tar archive with one hop of the call as a pair of SIPp scenarios
// that can be played against each other or against real devices: uac.xml is the
// side that sent the leg's first request, as that side saw the call; uas.xml is
// whoever it spoke to. run.sh plays them, README says what is in them.
//
// Messages are those of the capture, except for what must be fresh or fit the
// place: Call-ID, tags, branches, addresses, lengths, credentials. Retransmissions
// are left to SIPp, media are left out.
//
// The error wraps ErrNoScenario when the leg has no hop to play, else it is the
// writer's.
func SIPp(w io.Writer, f *query.Flow, o SIPpOptions) error {
	if o.MaxPause == 0 {
		o.MaxPause = DefaultMaxPause
	}
	d, err := newDialogue(f, o)
	if err != nil {
		return err
	}
	out := tar.NewWriter(w)
	at := d.steps[0].item.Time
	for _, file := range []struct {
		name, content string
		mode          int64
	}{
		{"README", d.readme(), 0o644},
		{"run.sh", d.runner(), 0o755},
		{"uac.xml", d.scenario(caller), 0o644},
		{"uas.xml", d.scenario(callee), 0o644},
	} {
		header := &tar.Header{Name: file.name, Mode: file.mode, Size: int64(len(file.content)), ModTime: at.Truncate(time.Second), Format: tar.FormatUSTAR}
		if err := out.WriteHeader(header); err != nil {
			return fmt.Errorf("write archive: %w", err)
		}
		if _, err := io.WriteString(out, file.content); err != nil {
			return fmt.Errorf("write archive: %w", err)
		}
	}
	if err := out.Close(); err != nil {
		return fmt.Errorf("write archive: %w", err)
	}
	return nil
}

// transportFlag is SIPp's -t for the transport that the call had. SIPp gets clear
// text where the call had TLS or a WebSocket.
func (d *dialogue) transportFlag() (flag, remark string) {
	switch t := d.steps[0].item.Transport; t {
	case "tcp":
		return "t1", ""
	case "tls", "ws", "wss":
		return "t1", "the call was captured inside " + strings.ToUpper(t) + " and is played over TCP in clear"
	case "sctp":
		return "s1", ""
	}
	return "u1", ""
}

// runner is run.sh.
func (d *dialogue) runner() string {
	flag, _ := d.transportFlag()
	local := "127.0.0.1"
	if a := d.steps[0].item.SrcAddr.Addr(); a.Is6() && !a.Is4In6() {
		local = "[::1]"
	}
	return fmt.Sprintf(`#!/bin/sh
# Plays the call with SIPp 3.6 or later.
#   ./run.sh                  both sides against each other on this machine
#   ./run.sh uac HOST[:PORT]  the caller's side against a real system
#   ./run.sh uas              the other side; waits for a call
# Environment: LOCAL (address to use), PORT (of uas: 5060, or 15060 against each
# other), TRANSPORT (SIPp's -t),
# AUTH_USER and PASSWORD (credentials), SIPP (the program).
cd "$(dirname "$0")" || exit 1
: "${SIPP:=sipp}" "${LOCAL:=%s}" "${TRANSPORT:=%s}" "${AUTH_USER:=%s}" "${PASSWORD:=secret}"
common="-m 1 -t $TRANSPORT -i $LOCAL -nostdin -timeout %d -timeout_error"

uac() { "$SIPP" -sf uac.xml $common -au "$AUTH_USER" -ap "$PASSWORD" "$1"; }
uas() { "$SIPP" -sf uas.xml $common -au "$AUTH_USER" -ap "$PASSWORD" -p "${PORT:-5060}"; }

case "${1:-both}" in
uac) uac "${2:?usage: ./run.sh uac HOST[:PORT]}" ;;
uas) uas ;;
both)
	: "${PORT:=15060}"
	uas >/dev/null &
	server=$!
	sleep 1
	uac "$LOCAL:$PORT" >/dev/null
	called=$?
	wait "$server"
	answered=$?
	echo "uac exit $called, uas exit $answered"
	[ "$called" -eq 0 ] && [ "$answered" -eq 0 ]
	;;
*)
	echo "usage: ./run.sh [uac HOST[:PORT] | uas]" >&2
	exit 2
	;;
esac
`, local, flag, shellWord(d.authUser()), int((d.length() + 60*time.Second).Seconds()))
}

// shellWord leaves of a text what may stand in the script's default value.
func shellWord(s string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-_.@", r) {
			return r
		}
		return -1
	}, s)
}

// length is how long the scenario's pauses are.
func (d *dialogue) length() time.Duration {
	var sum time.Duration
	for i := range d.steps {
		sum += d.steps[i].pause
	}
	return sum
}

// readme is README.
func (d *dialogue) readme() string {
	var b strings.Builder
	first := d.steps[0].item
	fmt.Fprintf(&b, "SIPp scenarios of a captured call\n\nCall-ID  %s (leg %s)\ntime     %s\nhop      %s to %s, %s\n\n",
		oneLine(first.CallID), LegName(d.leg), first.Time.UTC().Format("2006-01-02 15:04:05 MST"), first.SrcAddr, first.DstAddr, first.Transport)
	b.WriteString("uac.xml plays the side that sent the first request, uas.xml whoever it spoke to:\n\n")
	for i := range d.steps {
		s := &d.steps[i]
		arrow := "uac  ───▶  uas"
		if s.by == callee {
			arrow = "uac  ◀───  uas"
		}
		wait := ""
		if s.pause > 0 {
			wait = "  after " + s.pause.String()
		}
		fmt.Fprintf(&b, "  %s  %s%s\n", arrow, oneLine(s.title()), wait)
	}
	b.WriteString("\n./run.sh plays both against each other, ./run.sh uac HOST:PORT the first one against a real\nsystem; by hand:\n\n")
	flag, remark := d.transportFlag()
	fmt.Fprintf(&b, "  sipp -sf uac.xml -m 1 -t %s -au %s -ap PASSWORD HOST:PORT\n  sipp -sf uas.xml -m 1 -t %s -p 5060\n", flag, shellWord(d.authUser()), flag)
	for _, r := range append([]string{remark}, d.remarks...) {
		if r != "" {
			fmt.Fprintf(&b, "\nNote: %s.\n", r)
		}
	}
	return b.String()
}

func oneLine(s string) string { return strings.Join(strings.Fields(printable([]byte(s))), " ") }
