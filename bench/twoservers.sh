#!/usr/bin/env bash
# Asks two servers on one DynamoDB for more than three budgets pay for, and holds the decisions against the ledger. See --help.
set -euo pipefail
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)

usage() {
  cat <<'TEXT'
usage: bench/twoservers.sh [--decisions N]

Starts an emulator of DynamoDB and two servers on it, sends half of the calls to each, 256 in flight in all, under caps of a tenant,
a project and a key that admit about half, and reads the ledger: no cap passed at any instant, no wrong decision, nothing held in
the end, the books clean.
  --decisions N   how many (20,000)

It needs the emulator (npm ci --prefix tests/emulators --ignore-scripts), which is for Linux on x64.
TEXT
}

decisions=20000
while (($# > 0)); do
  case $1 in
    --decisions) decisions=${2:?} && shift 2 ;;
    -h | --help) usage && exit 0 ;;
    *) usage >&2 && exit 2 ;;
  esac
done

cd "$root"
export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1
dotnet build tests/Penstock.EndToEnd -c Release -v quiet -nologo -clp:NoSummary >&2
PENSTOCK_TWOSERVERS_CALLS=$decisions \
  exec dotnet tests/Penstock.EndToEnd/bin/Release/net10.0/Penstock.EndToEnd.dll -class '*TwoServersTests' -showLiveOutput -noColor -noLogo
