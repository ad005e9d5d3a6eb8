package embedded

import (
	"bytes"
	_ "embed"
	"encoding/xml"
	"fmt"
	"runtime"
	"text/template"
)

var (
	//go:embed config.xml.tmpl
	configTemplate string
	//go:embed users.xml.tmpl
	usersTemplate string

	templates = func() *template.Template {
		t := template.New("").Funcs(template.FuncMap{"xml": escapeXML})
		template.Must(t.New("config").Parse(configTemplate))
		template.Must(t.New("users").Parse(usersTemplate))
		return t
	}()
)

// fileData is what the templates see.
type fileData struct {
	Config
	Host              string
	HTTPPort, TCPPort int
	Users             string // path of users.xml
	Pool              int    // threads for merges
	MergeSlots        int    // merges and mutations that may wait or run
	ReaderMemory      int64  // bytes one search may take
	Hash              map[string]string
	Access            Access // hides Config.Access
}

// readerMemory bounds one search if Config.MemoryLimit does not bound it lower.
const readerMemory = 4 << 30

// writeFiles generates config.xml and users.xml. Nobody edits them: they say
// what this version of heplake wants, on every start.
func writeFiles(c Config, a addresses, creds credentials) error {
	// Merges are the real cost of the write path: as many threads as cores,
	// but always two, so that one long merge does not stop the short ones.
	pool := min(max(runtime.NumCPU(), 2), 16)
	d := fileData{
		Config: c, Host: a.host, HTTPPort: a.http, TCPPort: a.tcp,
		Users: c.usersPath(), Pool: pool, MergeSlots: 2 * pool,
		ReaderMemory: readerMemory,
		Hash:         map[string]string{},
	}
	if c.Access != nil {
		var err error
		if d.Access, err = c.Access(); err != nil {
			return fmt.Errorf("embedded clickhouse: users: %w", err)
		}
	}
	if c.MemoryLimit > 0 {
		d.ReaderMemory = min(d.ReaderMemory, c.MemoryLimit/2)
	}
	for _, u := range Users() {
		d.Hash[string(u)] = creds.sha256Hex(u)
	}
	for name, path := range map[string]string{"config": c.configPath(), "users": c.usersPath()} {
		var b bytes.Buffer
		if err := templates.ExecuteTemplate(&b, name, d); err != nil {
			return err
		}
		if err := writeFile(path, b.Bytes()); err != nil {
			return err
		}
	}
	return nil
}

func escapeXML(s string) (string, error) {
	var b bytes.Buffer
	err := xml.EscapeText(&b, []byte(s))
	return b.String(), err
}
