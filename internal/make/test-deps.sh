#!/usr/bin/env bash
# Installs what the tests need beyond Go and Node: a browser, SIP software, tshark.
set -euo pipefail

declare -A package=(
  [chromium]=chromium
  [kamailio]=kamailio
  [sipp]=sip-tester
  [rtpengine]=rtpengine-daemon
  [sngrep]=sngrep
  [tmux]=tmux
  [tshark]=tshark
)
missing=()
for tool in "${!package[@]}"; do
  PATH=$PATH:/usr/sbin command -v "$tool" >/dev/null || missing+=("${package[$tool]}")
done
[ ${#missing[@]} -eq 0 ] && exit 0

if ! command -v apt-get >/dev/null; then
  echo "the tests need ${missing[*]}: install them with your package manager" >&2
  exit 1
fi
printf '\033[1minstall for the tests: %s\033[0m\n' "${missing[*]}"
sudo=; [ "$(id -u)" -eq 0 ] || sudo=sudo
log=$(mktemp)
if ! { $sudo apt-get update -qq && DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
  cat "$log" >&2
  exit 1
fi
rm -f "$log"
