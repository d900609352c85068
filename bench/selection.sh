#!/usr/bin/env bash
# What model 'auto' saves on the committed trace against 'standard' for every call, vetoed calls paid twice. See --help.
set -euo pipefail
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)

case ${1:-} in
  '') ;;
  -h | --help)
    cat <<'TEXT'
usage: bench/selection.sh

Sends the trace of bench/selection/trace.json to a real server before the strict stand-in, once with model 'standard' and once with
'auto', and prints what the ledger says of both: calls, vetoes, cost, and the saving. Prices are those of the shipped table.
TEXT
    exit 0
    ;;
  *) echo "unknown argument $1; see --help" >&2 && exit 2 ;;
esac

cd "$root"
export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1
[[ -f build/native.sh ]] && bash build/native.sh >/dev/null
dotnet build tests/Penstock.EndToEnd -c Release -v quiet -nologo -clp:NoSummary >&2
exec dotnet tests/Penstock.EndToEnd/bin/Release/net10.0/Penstock.EndToEnd.dll -class '*SelectionTests' -showLiveOutput -noColor -noLogo
