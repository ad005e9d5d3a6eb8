package plugin

import (
	"strings"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/data"

	"github.com/heplake/heplake/query"
)

// linkMargin is how much a link to a call shows before its first and after its
// last message: media reports and log lines come late, clocks differ.
const linkMargin = time.Minute

// The columns that hold what a row's links need: its own time range, in ms since
// the epoch, and its Call-ID as the app's addresses have it. Panels do not show them.
const (
	linkFrom = "link_from"
	linkTo   = "link_to"
	linkID   = "link_id"
)

// escapeID writes a Call-ID for the path of the app, where a percent sign does not
// survive however often it is encoded: it is ~25 there, and ~ itself ~7E.
func escapeID(callID string) string {
	return strings.NewReplacer("~", "~7E", "%", "~25").Replace(callID)
}

// linkRange is the time range that shows all of a call. A call in progress may
// have more to come.
func linkRange(c query.Call, now time.Time) (from, to time.Time) {
	from, to = c.Start.Add(-linkMargin), c.LastSeen
	if c.End != nil && c.End.After(to) {
		to = *c.End
	}
	if to.Before(c.Start) {
		to = c.Start
	}
	if c.Outcome == query.InProgress && to.Before(now) && now.Sub(to) < time.Hour {
		to = now
	}
	return from, to.Add(linkMargin)
}

// callLinks are the links of a Call-ID in a row that has linkFrom, linkTo and linkID:
// to the call's page in the app, and in Explore to its ladder in a second pane.
func (d *Datasource) callLinks() []data.DataLink {
	return []data.DataLink{
		{
			Title: "Open call",
			URL: "/a/heplake-app/calls/call/${__data.fields." + linkID + ".text:percentencode}" +
				"?from=${__data.fields." + linkFrom + ".numeric}&to=${__data.fields." + linkTo + ".numeric}&var-ds=" + d.uid,
		},
		{
			Title: "Ladder",
			Internal: &data.InternalDataLink{
				DatasourceUID:  d.uid,
				DatasourceName: d.name,
				Query:          map[string]any{"queryType": "flow", "callId": "${__value.raw}"},
			},
		},
	}
}

// hidden keeps a column out of tables and graphs.
var hidden = map[string]any{
	"hidden":   true,
	"hideFrom": map[string]bool{"viz": true, "legend": true, "tooltip": true},
}
