// Package harness lets tests talk to the plugin's binary as Grafana does: it
// builds the binary, starts it, and sends requests over gRPC. No Grafana is
// needed.
//
// A test binary that uses it declares
//
//	func TestMain(m *testing.M) { harness.Main(m) }
//
// which also gives its tests ClickHouse (see internal/chtest).
package harness

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/backend/grpcplugin"
	"github.com/grafana/grafana-plugin-sdk-go/genproto/pluginv2"
	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"

	"github.com/heplake/heplake/internal/captures"
	"github.com/heplake/heplake/internal/chtest"
)

// EnvBinary names a binary to test instead of building one.
const EnvBinary = "PLUGIN_BINARY"

// Main runs the tests of a binary. It does not return.
func Main(m *testing.M) {
	code := chtest.Run(m)
	if built.dir != "" {
		_ = os.RemoveAll(built.dir)
	}
	os.Exit(code)
}

// built is the binary under test, built once for the whole test binary.
var built struct {
	once sync.Once
	dir  string
	path string
	err  error
}

// Binary returns the path of the plugin's binary, building it if need be.
func Binary(t testing.TB) string {
	t.Helper()
	built.once.Do(func() {
		if built.path = os.Getenv(EnvBinary); built.path != "" {
			return
		}
		if built.dir, built.err = os.MkdirTemp("", "heplake-plugin-"); built.err != nil {
			return
		}
		built.path = filepath.Join(built.dir, "gpx_heplake")
		cmd := exec.Command("go", "build", "-o", built.path, "./grafana-plugin/cmd/gpx_heplake")
		cmd.Dir = captures.Root()
		if out, err := cmd.CombinedOutput(); err != nil {
			built.err = fmt.Errorf("build the plugin: %w\n%s", err, out)
		}
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return built.path
}

// Plugin is a running plugin process.
type Plugin struct {
	t           testing.TB
	diagnostics grpcplugin.DiagnosticsClient
	data        grpcplugin.DataClient
	resource    grpcplugin.ResourceClient
	log         *strings.Builder
}

// Start starts the plugin; it is killed when the test ends. What it logs is in
// the test's log when the test fails.
func Start(t testing.TB) *Plugin {
	t.Helper()
	p := &Plugin{t: t, log: &strings.Builder{}}
	client := goplugin.NewClient(&goplugin.ClientConfig{
		HandshakeConfig: goplugin.HandshakeConfig{
			ProtocolVersion: grpcplugin.ProtocolVersion, MagicCookieKey: grpcplugin.MagicCookieKey, MagicCookieValue: grpcplugin.MagicCookieValue,
		},
		VersionedPlugins: map[int]goplugin.PluginSet{grpcplugin.ProtocolVersion: {
			"diagnostics": &grpcplugin.DiagnosticsGRPCPlugin{}, "resource": &grpcplugin.ResourceGRPCPlugin{}, "data": &grpcplugin.DataGRPCPlugin{},
		}},
		Cmd: exec.Command(Binary(t)), AllowedProtocols: []goplugin.Protocol{goplugin.ProtocolGRPC},
		Logger: hclog.New(&hclog.LoggerOptions{Output: p.log, Level: hclog.Warn}),
	})
	t.Cleanup(func() {
		client.Kill()
		if t.Failed() {
			const most = 8 << 10
			log := p.log.String()
			t.Logf("the end of the plugin's log:\n%s", log[max(0, len(log)-most):])
		}
	})
	rpc, err := client.Client()
	if err != nil {
		t.Fatal(err)
	}
	p.diagnostics = dispense[grpcplugin.DiagnosticsClient](t, rpc, "diagnostics")
	p.data = dispense[grpcplugin.DataClient](t, rpc, "data")
	p.resource = dispense[grpcplugin.ResourceClient](t, rpc, "resource")
	return p
}

func dispense[T any](t testing.TB, rpc goplugin.ClientProtocol, name string) T {
	t.Helper()
	v, err := rpc.Dispense(name)
	if err != nil {
		t.Fatal(err)
	}
	client, ok := v.(T)
	if !ok {
		t.Fatalf("%s is a %T", name, v)
	}
	return client
}

// Source is a data source as Grafana hands it to the plugin.
type Source struct {
	Settings map[string]any
	Secrets  map[string]string
	// User asks; nil for Grafana itself.
	User *backend.User
	// UID tells instances apart: sources with other settings need another. It is
	// made from the test's name, without those of subtests, when empty.
	UID string
	// Changed is when the settings were last changed.
	Changed time.Time
}

// Context is the source as part of a request.
func (s Source) Context(t testing.TB) backend.PluginContext {
	t.Helper()
	settings, err := json.Marshal(s.Settings)
	if err != nil {
		t.Fatal(err)
	}
	uid := s.UID
	if uid == "" {
		name, _, _ := strings.Cut(t.Name(), "/")
		uid = "ds-" + name
	}
	return backend.PluginContext{
		OrgID:    7, //nolint:staticcheck // Grafana fills it in
		PluginID: "heplake-datasource", User: s.User,
		DataSourceInstanceSettings: &backend.DataSourceInstanceSettings{
			ID: int64(len(uid)), UID: uid, Name: "heplake", Type: "heplake-datasource",
			JSONData: settings, DecryptedSecureJSONData: s.Secrets, Updated: s.Changed,
		},
	}
}

// Query is one query of a request.
type Query struct {
	Model map[string]any
	// RefID is "A" when empty.
	RefID    string
	From, To time.Time
	Interval time.Duration
	// MaxDataPoints is 1000 when 0.
	MaxDataPoints int64
	// TypeInModelOnly leaves the request's query type empty, as /api/v1/eval does.
	TypeInModelOnly bool
}

// Query sends queries in one request and returns the responses by RefID.
func (p *Plugin) Query(ctx context.Context, s Source, headers map[string]string, queries ...Query) (backend.Responses, error) {
	p.t.Helper()
	request := &backend.QueryDataRequest{PluginContext: s.Context(p.t), Headers: headers}
	for _, q := range queries {
		model, err := json.Marshal(q.Model)
		if err != nil {
			p.t.Fatal(err)
		}
		dq := backend.DataQuery{
			RefID: q.RefID, JSON: model, Interval: q.Interval, MaxDataPoints: q.MaxDataPoints,
			TimeRange: backend.TimeRange{From: q.From, To: q.To},
		}
		if dq.RefID == "" {
			dq.RefID = "A"
		}
		if dq.MaxDataPoints == 0 {
			dq.MaxDataPoints = 1000
		}
		if kind, ok := q.Model["queryType"].(string); ok && !q.TypeInModelOnly {
			dq.QueryType = kind
		}
		request.Queries = append(request.Queries, dq)
	}
	answer, err := p.data.QueryData(ctx, backend.ToProto().QueryDataRequest(request))
	if err != nil {
		return nil, err
	}
	response, err := backend.FromProto().QueryDataResponse(answer)
	if err != nil {
		return nil, err
	}
	return response.Responses, nil
}

// Ask sends one query and returns its response, which may hold an error.
func (p *Plugin) Ask(s Source, q Query) backend.DataResponse {
	p.t.Helper()
	responses, err := p.Query(p.t.Context(), s, nil, q)
	if err != nil {
		p.t.Fatal(err)
	}
	if q.RefID == "" {
		q.RefID = "A"
	}
	r, ok := responses[q.RefID]
	if !ok {
		p.t.Fatalf("no response to %s", q.RefID)
	}
	return r
}

// Health runs the health check; details are its JSON.
func (p *Plugin) Health(s Source) (result *pluginv2.CheckHealthResponse, details map[string]any) {
	p.t.Helper()
	result, err := p.diagnostics.CheckHealth(p.t.Context(), &pluginv2.CheckHealthRequest{PluginContext: backend.ToProto().PluginContext(s.Context(p.t))})
	if err != nil {
		p.t.Fatal(err)
	}
	if err := json.Unmarshal(result.JsonDetails, &details); err != nil {
		p.t.Fatalf("details %q: %v", result.JsonDetails, err)
	}
	return result, details
}

// Resource gets a resource; url is the path with its parameters.
func (p *Plugin) Resource(s Source, url string) (status int, body []byte) {
	p.t.Helper()
	path, _, _ := strings.Cut(url, "?")
	stream, err := p.resource.CallResource(p.t.Context(), &pluginv2.CallResourceRequest{
		PluginContext: backend.ToProto().PluginContext(s.Context(p.t)), Method: "GET", Path: path, Url: url,
	})
	if err != nil {
		p.t.Fatal(err)
	}
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return status, body
		}
		if err != nil {
			p.t.Fatal(err)
		}
		if m.Code != 0 {
			status = int(m.Code)
		}
		body = append(body, m.Body...)
	}
}
