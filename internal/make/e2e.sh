#!/usr/bin/env bash
# End to end only: the binary with real senders, the plugin's binary, the
# plugin in a browser.
set -euo pipefail
cd "$(dirname "$0")/../.."
go test -count=1 -timeout 20m ./internal/e2e/... ./grafana-plugin/...
npm --prefix grafana-plugin run --silent test:browser
