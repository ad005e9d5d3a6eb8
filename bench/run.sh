#!/usr/bin/env bash
# Micro benchmarks, kept for benchstat, then the short load scenarios.
set -euo pipefail
cd "$(dirname "$0")/.."
say() { printf '\033[1m%s\033[0m\n' "$1"; }
count=${COUNT:-6}
scenarios=${SCENARIOS:-short}
results=bench/results
commit=$(git rev-parse --short=10 HEAD 2>/dev/null || echo unknown)
stamp=$(date -u +%Y%m%dT%H%M%S)-$commit
mkdir -p "$results" bin

say "bench: entrance, hep, sip, media, batch, generator (-count=$count)"
go test -run '^$' -bench . -benchtime "${BENCHTIME:-200ms}" -count "$count" \
  ./ingest ./ingest/hep ./ingest/sip ./bench/decode ./ingest/media ./ingest/batch ./bench/gen | tee "$results/$stamp-micro.txt"

say "bench: calls and KPIs, beside messages alone"
go test -run '^$' -bench . -benchtime 1x ./bench/rollups | tee "$results/$stamp-rollups.txt"

say "bench: load ($scenarios)"
go build -o bin/hepgen ./bench/cmd/hepgen
go build -o bin/heplake-load ./bench/cmd/load
timeout --signal=INT --kill-after=1m "${LIMIT:-20m}" bin/heplake-load --scenarios "$scenarios" --results "$results"
