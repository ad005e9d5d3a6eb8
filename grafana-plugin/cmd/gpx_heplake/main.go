// Command gpx_heplake is the backend of heplake's Grafana data source. Grafana
// starts it and speaks to it over gRPC; it does nothing when run by hand.
package main

import (
	"os"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/backend/datasource"

	"github.com/heplake/heplake/grafana-plugin/pkg/plugin"
)

func main() {
	if err := datasource.Manage(plugin.ID, plugin.New, datasource.ManageOpts{}); err != nil {
		backend.Logger.Error("heplake data source stopped", "error", err)
		os.Exit(1)
	}
}
