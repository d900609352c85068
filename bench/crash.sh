#!/usr/bin/env bash
# Kills the server under load, over and over, and holds its books against the providers' bills. See --help.
set -euo pipefail
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)

usage() {
  cat <<'TEXT'
usage: bench/crash.sh [--kills N] [--seed N]

Starts the server on one data folder, loads it (four dialects and embeddings, streams and whole answers, clients that leave,
hard caps that admit about half), kills it with SIGKILL at a moment of chance, runs 'penstock ledger verify' and starts it again.
  --kills N   how often (200; a kill takes about 3 s)
  --seed N    by which chance (20261125)
TEXT
}

kills=200 seed=20261125
while (($# > 0)); do
  case $1 in
    --kills) kills=${2:?} && shift 2 ;;
    --seed) seed=${2:?} && shift 2 ;;
    -h | --help) usage && exit 0 ;;
    *) usage >&2 && exit 2 ;;
  esac
done

cd "$root"
export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1
[[ -f build/native.sh ]] && bash build/native.sh >/dev/null
dotnet build tests/Penstock.EndToEnd -c Release -v quiet -nologo -clp:NoSummary >&2
PENSTOCK_CRASH_KILLS=$kills PENSTOCK_CRASH_SEED=$seed \
  exec dotnet tests/Penstock.EndToEnd/bin/Release/net10.0/Penstock.EndToEnd.dll -class '*CrashTests' -showLiveOutput -noColor -noLogo
