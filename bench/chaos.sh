#!/usr/bin/env bash
# Kills and stops the workers of agents, over and over, and wants every run to end once with nothing done twice. See --help.
set -euo pipefail
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)

usage() {
  cat <<'TEXT'
usage: bench/chaos.sh [--part NAME] [options]

Runs of agents whose workers are struck, with a model that follows a plan and tools that count their effects, both outside of the workers:
  boundaries   SIGKILL at every write that a run's owner makes, before it and behind it, with --runs at the same write; the embedded store
  killed       three workers on one shared store (DynamoDB's emulator), one after the other killed at a moment of chance
  stopped      the same, stopped past its lease and continued, so that it wakes up as an owner that is none any more
Of every run: it ends, its journal has no gap and no entry of an owner that was replaced, what was acknowledged is there word for word, a call of
effect 'once' was made once, an idempotent one under one key, at most one model call a strike was made twice, and the ledger verifies.
  --part NAME   one of them (all)
  --runs N      at each write (50)          --many N   runs on the shared store (500)
  --steps N     of those (8)                --blows N  strikes at least (60)
TEXT
}

part='' runs=50 many=500 steps=8 blows=60
while (($# > 0)); do
  case $1 in
    --part) part=${2:?} && shift 2 ;;
    --runs) runs=${2:?} && shift 2 ;;
    --many) many=${2:?} && shift 2 ;;
    --steps) steps=${2:?} && shift 2 ;;
    --blows) blows=${2:?} && shift 2 ;;
    -h | --help) usage && exit 0 ;;
    *) usage >&2 && exit 2 ;;
  esac
done

case $part in
  '') filter='*' ;;
  boundaries) filter='*A_run_survives*' ;;
  killed) filter='*workers_are_killed' ;;
  stopped) filter='*workers_are_stopped*' ;;
  *) usage >&2 && exit 2 ;;
esac

cd "$root"
export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1
[[ -f build/native.sh ]] && bash build/native.sh >/dev/null
[[ tests/emulators/node_modules/.package-lock.json -nt tests/emulators/package-lock.json ]] || npm --prefix tests/emulators ci --ignore-scripts --no-audit --no-fund --silent >&2
dotnet build tests/Penstock.Chaos -c Release -v quiet -nologo -clp:NoSummary >&2
PENSTOCK_CHAOS_EVERY=1 PENSTOCK_CHAOS_RUNS=$runs PENSTOCK_CHAOS_MANY=$many PENSTOCK_CHAOS_STEPS=$steps PENSTOCK_CHAOS_BLOWS=$blows \
  exec dotnet tests/Penstock.Chaos/bin/Release/net10.0/Penstock.Chaos.dll -method "$filter" -showLiveOutput -noColor -noLogo
