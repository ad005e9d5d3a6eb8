#!/usr/bin/env bash
# Runs every fuzz target for the time given (default 30s), one after the other.
set -euo pipefail
cd "$(dirname "$0")/../.."
for_each=${1:-30s}
grep -rlE --include='*_test.go' '^func Fuzz' ingest internal query api grafana-plugin/pkg | sort | while read -r file; do
  dir=./$(dirname "$file")
  grep -oE '^func Fuzz[A-Za-z0-9_]+' "$file" | awk '{print $2}' | while read -r target; do
    printf '\033[1m%s %s for %s\033[0m\n' "$dir" "$target" "$for_each"
    go test "$dir" -run '^$' -fuzz "^$target\$" -fuzztime "$for_each" | tail -n 12 | grep -vE '^fuzz: (elapsed|minimizing)' 
  done
done
