#!/usr/bin/env bash
# Decode + SIP parse beside heplify-server's decoder on the same packets, in
# turns. See README.md.
set -euo pipefail
: "${PEER:?is the path of a checkout of heplify-server}"
rounds=${ROUNDS:-10}
peer=$(cd "$PEER" && pwd)
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

go test -c -o "$work/heplake.test" ./bench/decode
(cd bench/decode && DECODE_PACKETS="$work/packets" "$work/heplake.test" -test.run '^TestWritePackets$' >/dev/null)

# The benchmark goes into a copy: the checkout stays as it is.
mkdir "$work/peer"
tar -C "$peer" --exclude .git -cf - . | tar -C "$work/peer" -xf -
cat >"$work/peer/decoder/decode_compare_test.go" <<'GO'
package decoder

import (
	"encoding/hex"
	"os"
	"strings"
	"testing"
)

func BenchmarkDecode(b *testing.B) {
	text, err := os.ReadFile(os.Getenv("DECODE_PACKETS"))
	if err != nil {
		b.Fatal(err)
	}
	var all [][]byte
	var kinds []string
	first := make(map[string][]byte)
	for _, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		kind, digits, _ := strings.Cut(line, " ")
		msg, err := hex.DecodeString(digits)
		if err != nil {
			b.Fatal(err)
		}
		all = append(all, msg)
		if first[kind] == nil {
			first[kind] = msg
			kinds = append(kinds, kind)
		}
	}
	decode := func(b *testing.B, msg []byte) {
		h, err := DecodeHEP(msg)
		if err != nil || h.SIP == nil {
			b.Fatal(h, err)
		}
	}
	b.Run("all", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; i < b.N; i++ {
			decode(b, all[i%len(all)])
		}
	})
	for _, kind := range kinds {
		b.Run(kind, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; i < b.N; i++ {
				decode(b, first[kind])
			}
		})
	}
}
GO
(cd "$work/peer" && go test -c -o "$work/peer.test" ./decoder)

export GOMAXPROCS=1 DECODE_PACKETS="$work/packets"
measure() { # name, folder
  (cd "$2" && "$work/$1.test" -test.run '^$' -test.bench '^BenchmarkDecode$' -test.benchtime 5000x -test.count 10) |
    awk -v who="$1" '/^BenchmarkDecode\// { sub(/^BenchmarkDecode\//, "", $1); for (i = 3; i < NF; i++) if ($(i+1) == "ns/op") ns = $i; else if ($(i+1) == "allocs/op") a = $i; print who, $1, ns, a }'
}
for ((round = 0; round < rounds; round++)); do
  measure heplake bench/decode
  measure peer "$work/peer/decoder"
done | awk '
  { k = $1 SUBSEP $2; if (!(k in best) || $3 < best[k]) best[k] = $3; allocs[k] = $4 }
  $1 == "heplake" && !seen[$2]++ { order[++n] = $2 }
  END {
    printf "%-16s %12s %12s %8s %18s\n", "packet", "heplake ns", "peer ns", "ratio", "allocations"
    for (i = 1; i <= n; i++) {
      k = order[i]; ours = best["heplake", k]; theirs = best["peer", k]
      printf "%-16s %12.0f %12.0f %8.1f %9d %8d\n", k, ours, theirs, theirs / ours, allocs["heplake", k], allocs["peer", k]
    }
  }'
