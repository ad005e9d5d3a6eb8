package tui

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/heplake/heplake/internal/cli"
	"github.com/heplake/heplake/query"
)

// saveFormats are what a call is saved as, by the end of the file's name.
var saveFormats = map[string]string{
	".pcap": "pcap", ".pcapng": "pcapng", ".txt": "text", ".json": "json", ".svg": "svg", ".html": "html", ".tar": "sipp",
}

// askSave asks for a file to save calls to: several in one file, which not every
// format can.
func askSave(a *app, calls []query.Call) tea.Cmd {
	question, name := "save to (.pcap .pcapng .txt .json .svg .html .tar):", fileName(cli.CallID(&calls[0]))
	if n := len(calls); n > 1 {
		question, name = fmt.Sprintf("save %d calls to (.pcap .pcapng .txt .json):", n), fmt.Sprintf("%d-calls", n)
	}
	return a.ask(question, name+".pcap", func(path string) tea.Cmd {
		path = strings.TrimSpace(path)
		if path == "" {
			return nil
		}
		if rest, ok := strings.CutPrefix(path, "~/"); ok {
			if home, err := os.UserHomeDir(); err == nil {
				path = filepath.Join(home, rest)
			}
		}
		format := saveFormats[strings.ToLower(filepath.Ext(path))]
		if format == "" {
			a.complain(fmt.Errorf("%s: the name says the format; it ends in .pcap, .pcapng, .txt, .json, .svg, .html or .tar (SIPp scenarios)", path))
			return nil
		}
		a.say("saving …")
		ctx, client := a.ctx, a.o.Client
		return func() tea.Msg {
			n, cut, err := save(ctx, client, calls, format, path)
			switch {
			case err != nil:
				return told{err: err}
			case cut != "":
				return told{text: fmt.Sprintf("saved %s, %d bytes; not everything: %s", path, n, cut)}
			}
			return told{text: fmt.Sprintf("saved %s, %d bytes", path, n)}
		}
	})
}

// save writes calls to a new file; one that is there is not touched. It returns
// the number of bytes, and what limit cut the call.
func save(ctx context.Context, client *cli.Client, calls []query.Call, format, path string) (n int, cut string, err error) {
	if _, err := os.Lstat(path); err == nil {
		return 0, "", fmt.Errorf("%s is there already: give another name", path)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return 0, "", err
	}
	var body []byte
	if len(calls) == 1 {
		body, cut, err = client.Download(ctx, cli.CallID(&calls[0]), format)
	} else {
		body, cut, err = client.DownloadAll(ctx, calls, format)
	}
	if err != nil {
		return 0, "", err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) // calls are nobody else's business
	if err != nil {
		return 0, "", err
	}
	n, err = f.Write(body)
	return n, cut, errors.Join(err, f.Close())
}

// fileName is a Call-ID as the name of a file.
func fileName(id string) string {
	name := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || strings.ContainsRune(`/\:*?"<>|`, r) {
			return '_'
		}
		return r
	}, id)
	name = strings.TrimLeft(name, ".-~ ")
	if len(name) > 80 {
		name = strings.ToValidUTF8(name[:80], "")
	}
	if name == "" {
		name = "call"
	}
	return name
}
