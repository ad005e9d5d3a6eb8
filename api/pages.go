package api

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"strings"

	"github.com/heplake/heplake/internal/version"
)

//go:embed index.html.tmpl
var indexHTML string

//go:embed openapi.json
var openapiJSON []byte

// pages are the answers that never change.
type pages struct{ index, openapi []byte }

func newPages(routes []route) (pages, error) {
	var p pages
	t, err := template.New("index").Parse(indexHTML)
	if err != nil {
		return p, err
	}
	type line struct{ Method, Path, Link, Doc string }
	data := struct {
		Version string
		Routes  []line
	}{Version: version.Version}
	for _, r := range routes {
		l := line{Method: r.method, Path: publicPath(r.pattern), Doc: r.doc}
		if r.method == http.MethodGet && !strings.Contains(l.Path, "{") {
			l.Link = l.Path
		}
		switch l.Path {
		case "/api/v1/series":
			l.Link += "?metric=messages" // it needs one
		case "/api/v1/export":
			l.Link += "?format=text"
		}
		data.Routes = append(data.Routes, l)
	}
	var b bytes.Buffer
	if err := t.Execute(&b, data); err != nil {
		return p, err
	}
	p.index = b.Bytes()

	var doc map[string]any
	if err := json.Unmarshal(openapiJSON, &doc); err != nil {
		return p, fmt.Errorf("api: openapi.json: %w", err)
	}
	doc["info"].(map[string]any)["version"] = version.Version
	p.openapi, err = json.Marshal(doc)
	return p, err
}

// publicPath writes a pattern of the mux as people and OpenAPI do.
func publicPath(pattern string) string {
	public := strings.NewReplacer("...}", "}", "{$}", "").Replace(pattern)
	if pattern == exportPattern {
		public += "/{format}"
	}
	return public
}

func (s *server) index(w http.ResponseWriter, _ *http.Request) error {
	return write(w, "text/html; charset=utf-8", http.StatusOK, s.pages.index)
}

func (s *server) openapi(w http.ResponseWriter, _ *http.Request) error {
	return write(w, jsonType, http.StatusOK, s.pages.openapi)
}

func (s *server) healthz(w http.ResponseWriter, _ *http.Request) error {
	return write(w, textType, http.StatusOK, []byte("ok\n"))
}

func (s *server) readyz(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithTimeout(r.Context(), readyTime)
	defer cancel()
	if err := s.ready(ctx); err != nil {
		return &problem{Status: http.StatusServiceUnavailable, kind: "not-ready", Detail: err.Error(), retryAfter: 5}
	}
	return write(w, textType, http.StatusOK, []byte("ready\n"))
}
