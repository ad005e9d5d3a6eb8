package plugin

import (
	"context"
	"encoding/json"
	"maps"
	"strings"

	"github.com/grafana/grafana-plugin-sdk-go/backend"

	"github.com/heplake/heplake/query"
)

// asker is what is known about who asks. ClickHouse keeps it in log_comment of
// its query log. Login and Org come from Grafana itself; the rest comes from
// headers and is worth as much as these. Nothing is decided by any of it.
type asker struct {
	From  string `json:"from"` // always "grafana"
	Login string `json:"login,omitempty"`
	Org   int64  `json:"org,omitempty"`
	// What asks: a dashboard's panel, an alert rule, or neither (Explore, an app page).
	Alert     bool   `json:"alert,omitempty"`
	Rule      string `json:"rule,omitempty"`
	Dashboard string `json:"dashboard,omitempty"`
	Panel     string `json:"panel,omitempty"`
	// What is asked.
	Query string `json:"query,omitempty"` // the type, or the resource's path
	RefID string `json:"ref,omitempty"`
}

// maxHeader bounds what is kept of a header.
const maxHeader = 120

func newAsker(pc backend.PluginContext, headers map[string]string) asker {
	// Grafana sends some headers bare and others with a prefix.
	get := func(name string) string {
		for key, value := range headers {
			if strings.EqualFold(key, name) || strings.EqualFold(key, "http_"+name) {
				return value[:min(len(value), maxHeader)]
			}
		}
		return ""
	}
	a := asker{
		From:      "grafana",
		Org:       pc.OrgID, //nolint:staticcheck // the number that Grafana's own pages and logs show
		Alert:     get("FromAlert") == "true",
		Rule:      get("X-Rule-Uid"),
		Dashboard: get("X-Dashboard-Uid"),
		Panel:     get("X-Panel-Id"),
	}
	if pc.User != nil {
		a.Login = pc.User.Login
	}
	return a
}

// audit returns a context under which the lake's queries say who asks, and have
// the settings that the user's profile allows. It ends with ctx, but has no
// deadline: of one the driver would make a max_execution_time of its own,
// against the store's limit.
func (l *lake) audit(ctx context.Context, a asker) (context.Context, context.CancelFunc) {
	settings := maps.Clone(l.settings)
	if _, ok := settings["log_comment"]; ok {
		comment, err := json.Marshal(a)
		if err == nil {
			settings["log_comment"] = strings.ToValidUTF8(string(comment), "\uFFFD")
		}
	}
	inner, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, cancel)
	return query.WithSettings(inner, settings), func() { stop(); cancel() }
}
