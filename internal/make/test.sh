#!/usr/bin/env bash
# Every test: Go (codecs, pipeline, queries, API, plugin binary, end to end),
# then the plugin's frontend in Node and in a browser.
set -euo pipefail
cd "$(dirname "$0")/../.."
say() { printf '\033[1m%s\033[0m\n' "$1"; }

say "test: Go"
# Packages that start an engine of their own wait for each other by -p.
go vet ./...
go test -p "$(nproc)" -timeout 20m ./... | { grep -a --line-buffered -v 'no test files' || true; }

if [ -n "${CI:-}" ]; then
  say "fuzz: each target 20,000 times (make fuzz for longer)"
  ./internal/make/fuzz.sh 20000x
fi

say "test: Grafana plugin, frontend"
npm --prefix grafana-plugin test --silent
