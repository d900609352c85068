#!/usr/bin/env bash
# Asks four servers on one DynamoDB that take slices of budgets, kills one after the other, and holds the ledger against the caps. See --help.
set -euo pipefail
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)

usage() {
  cat <<'TEXT'
usage: bench/nodes.sh [--decisions N] [--in-flight N] [--kill-every S] [--hold S]

Starts an emulator of DynamoDB and four servers on it with PENSTOCK_BUDGET_LEASES, sends calls to all of them under caps that admit
about half, kills one of them (SIGKILL) every few seconds and starts it again, and reads the ledger: no cap passed at any entry, what
a killed server held is spent and not held any more, no call at the provider is missing in the books, the books verify. It counts the
items that are written to the table of budgets, by what the servers send, while the caps are far and in all.
  --decisions N    how many (50,000)
  --in-flight N    at each server (64)
  --kill-every S   seconds (5)
  --hold S         for how many seconds money is held, longer than a call lasts (20)

It needs the emulator (npm ci --prefix tests/emulators --ignore-scripts), which is for Linux on x64.
TEXT
}

decisions=50000 flight=64 every=5 hold=20
while (($# > 0)); do
  case $1 in
    --decisions) decisions=${2:?} && shift 2 ;;
    --in-flight) flight=${2:?} && shift 2 ;;
    --kill-every) every=${2:?} && shift 2 ;;
    --hold) hold=${2:?} && shift 2 ;;
    -h | --help) usage && exit 0 ;;
    *) usage >&2 && exit 2 ;;
  esac
done

cd "$root"
export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1
dotnet build tests/Penstock.EndToEnd -c Release -v quiet -nologo -clp:NoSummary >&2
PENSTOCK_NODES_CALLS=$decisions PENSTOCK_NODES_IN_FLIGHT=$flight PENSTOCK_NODES_KILL_SECONDS=$every PENSTOCK_NODES_HOLD_SECONDS=$hold \
  exec dotnet tests/Penstock.EndToEnd/bin/Release/net10.0/Penstock.EndToEnd.dll -explicit only -class '*LeasedServersTests' -showLiveOutput -noColor -noLogo
