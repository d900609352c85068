#!/usr/bin/env bash
# Keeps the server under mixed load for a long time, and wants its memory flat, its books equal and nothing left. See --help.
set -euo pipefail
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)

usage() {
  cat <<'TEXT'
usage: bench/soak.sh [--calls N]

Starts the server and a stand-in for its providers, and sends calls of every kind, 64 at once: three dialects, whole and streamed, across
dialects, failing, cut short, with clients that leave. In three rounds; after each the server must stand still: no request active, no call
open at a provider, no task or socket left, and memory no more than the round before has left. At the end every attempt that a provider saw
is in the ledger, and all sums are equal to the nano-dollar. It is the load test of the suite, longer.
  --calls N   of all three rounds (600000)
TEXT
}

calls=600000
while (($# > 0)); do
  case $1 in
    --calls) calls=${2:?} && shift 2 ;;
    -h | --help) usage && exit 0 ;;
    *) usage >&2 && exit 2 ;;
  esac
done

cd "$root"
export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1
[[ -f build/native.sh ]] && bash build/native.sh >/dev/null
dotnet build tests/Penstock.EndToEnd -c Release -v quiet -nologo -clp:NoSummary >&2
PENSTOCK_LOAD_CALLS=$calls \
  exec dotnet tests/Penstock.EndToEnd/bin/Release/net10.0/Penstock.EndToEnd.dll -method '*MixedLoadTests.*' -showLiveOutput -noColor -noLogo
