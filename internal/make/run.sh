#!/usr/bin/env bash
# What `make run` does once everything is built: starts heplake, sends it a
# sample of real traffic with its times moved to now, and shows what came of it.
set -euo pipefail
cd "$(dirname "$0")/../.."
say() { printf '\n\033[1m%s\033[0m\n' "$1"; }

data=${HEPLAKE_DATA_DIR:-./data}
export HEPLAKE_DATA_DIR=$data
mkdir -p "$data"
rm -f "$data/addresses.json"

say "start heplake (log in $data/heplake.log)"
bin/heplake serve 2>"$data/heplake.log" &
server=$!
stop() { kill "$server" 2>/dev/null && wait "$server" 2>/dev/null || true; }
trap stop EXIT
trap 'exit 130' INT TERM

for _ in $(seq 600); do
  [ -s "$data/addresses.json" ] && break
  if ! kill -0 "$server" 2>/dev/null; then
    echo "heplake did not start:" >&2
    tail -n 5 "$data/heplake.log" >&2
    exit 1
  fi
  sleep 0.1
done
address() { sed -n "s/.*\"$1\": \"\(.*\)\".*/\1/p" "$data/addresses.json"; }
api=$(address api) hep=$(address hep_udp) metrics=$(address metrics) clickhouse=$(address clickhouse_http)
export HEPLAKE_API=http://$api

say "replay real traffic: Kamailio, OpenSIPS, rtpengine, captagent"
samples=testdata/captures
bin/heplake replay --now --to "$hep" \
  $samples/kamailio-hep3-udp-sip-failures-a.pcap \
  $samples/sngrep-hep3-udp-b2bua-two-callids-xcid-a.pcap
bin/heplake replay --now --to "$hep" $samples/rtpengine-kamailio-hep3-udp-call-with-rtcp-a.pcap
bin/heplake replay --now --to "$hep" $samples/captagent-hep3-udp-live-sip-rtcp-a.pcap
sleep 4 # a batch is sealed a second after its first record, calls are assembled another later

say "heplake search 'method = INVITE' --limit 12"
bin/heplake search 'method = INVITE' --limit 12

say "heplake flow 1-16637@127.0.0.1   (asked by its first leg; the second is found)"
bin/heplake flow 1-16637@127.0.0.1

busy=$(bin/heplake search 'final_status = 486' --limit 1 -o csv 2>/dev/null | awk -F, 'NR==1 {for (i=1; i<=NF; i++) if ($i == "call_ids") c=i} NR==2 {print $c}' | tr -d '"[]\r' | awk '{print $1}')
say "heplake flow $busy"
bin/heplake flow "$busy"

say "heplake is running; Ctrl-C stops it"
cat <<END
  search   bin/heplake search 'from_user like "49%" and status >= 500' --since 1h
  ladder   bin/heplake flow CALL-ID
  browse   bin/heplake tui --api http://$api
  API      http://$api/
  metrics  http://$metrics/metrics
  SQL      http://$clickhouse/play   (users and passwords: $data/clickhouse/credentials.json)
  send it  HEP to $hep, UDP or TCP: docs/senders.md
  Grafana  the plugin is in grafana-plugin/dist: grafana-plugin/README.md
END
[ -t 0 ] || [ -z "${CI:-}" ] || exit 0
wait "$server"
