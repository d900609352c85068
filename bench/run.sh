#!/usr/bin/env bash
# Penstock beside nginx and another gateway: same stand-in for a provider, same load, in turns, one table. See --help.
set -euo pipefail
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)

usage() {
  cat <<'TEXT'
usage: bench/run.sh [--quick] [options]

Builds Penstock as ./run.sh does, and measures it beside nginx as a plain proxy and Portkey's gateway, all before the same stand-in:
  saturation   calls a second that it takes from 64 connections (wrk), how long they take, and processor time per call
  rate         how long calls take at 1,000 a second: an open loop, in which a call that waits for its turn counts as waiting
  first        how long the first word of a stream takes
  streams      memory with 1,000 streams open
  start        from nothing to the first answer
Penstock runs with everything on: the key is authenticated, four limits and three budgets stand over each call, its money is reserved and
settled on disk, the ledger and the log are written, and the cache is asked in vain and keeps each answer, for no prompt comes twice.
In each round every contender has its turn. What is measured runs on the first core, the stand-ins and the load on the second.
It takes about 12 minutes, and ends with 1 where a bound is not met.

  --quick            2 rounds of 3 s each: 3 minutes
  --rounds N         rounds (5)              --seconds N   of each measurement (8)
  --parts a,b        of those above          --no-peer     without Portkey's gateway
  --unpinned         every process may use every core
  --beside NAME=DLL  one more Penstock, built elsewhere, in the same rounds
  --connections N (64)  --rate N (1000)  --streams N (1000)  --starts N (10)

nginx and wrk are used where installed; else they are taken from Debian's packages, unpacked into artifacts/bench and not installed.
Node 20 or newer with npm, gcc where SQLite is to be compiled, Linux with two cores.
TEXT
}

arguments=()
while (($# > 0)); do
  case $1 in
    -h | --help) usage && exit 0 ;;
    --quick) arguments+=(--rounds 2 --seconds 3 --starts 5) && shift ;;
    --no-peer | --unpinned) arguments+=("$1") && shift ;;
    --rounds | --seconds | --parts | --connections | --rate | --streams | --starts | --beside) arguments+=("$1" "${2:?}") && shift 2 ;;
    *) usage >&2 && exit 2 ;;
  esac
done

say() { printf '%s\n' "$*" >&2; }

# program <name> <packages ...>: sets BENCH_<NAME>.
program() {
  local name=$1 variable=BENCH_${1^^}
  shift
  if command -v "$name" >/dev/null; then
    export "$variable=$(command -v "$name")"
    return
  fi
  if [[ ! -x $tools/$name ]]; then
    say "fetching $name from Debian's packages"
    (cd "$tools" && { apt-get download -qq "$@" || { apt-get update -qq && apt-get download -qq "$@"; }; } >"$tools/$name.log" 2>&1) || {
      say "$name is not installed, and its package could not be fetched (see $tools/$name.log). Install $name, then run this again."
      exit 1
    }
    for package in "$@"; do dpkg -x "$tools/${package}"_*.deb "$tools/debian"; done
    # A program from a package finds the libraries of its own packages first.
    printf '#!/bin/sh\nLD_LIBRARY_PATH=%q exec %q "$@"\n' "$tools/debian/usr/lib/$(uname -m)-linux-gnu" "$(find "$tools/debian/usr" -type f -path "*bin/$name")" >"$tools/$name"
    chmod +x "$tools/$name"
  fi
  export "$variable=$tools/$name"
}

cd "$root"
export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1
tools=$root/artifacts/bench/tools
export BENCH_PEERS=$root/bench/peers BENCH_WORK=$root/artifacts/bench/work
rm -rf "$BENCH_WORK"
mkdir -p "$tools" "$BENCH_WORK"
program wrk wrk libluajit-5.1-2
program nginx nginx
[[ bench/peers/node_modules/.package-lock.json -nt bench/peers/package-lock.json ]] || npm --prefix bench/peers ci --ignore-scripts --no-audit --no-fund --silent >&2
bash build/native.sh >&2
say "building (Release)"
for project in src/hosts/Penstock.Server bench/gateway; do
  dotnet build $project -c Release -v quiet -nologo -clp:NoSummary >"$BENCH_WORK/build.log" 2>&1 || { cat "$BENCH_WORK/build.log" >&2 && exit 1; }
done
export BENCH_SERVER=$root/src/hosts/Penstock.Server/bin/Release/net10.0/Penstock.Server.dll
exec dotnet bench/gateway/bin/Release/net10.0/Penstock.Bench.Gateway.dll "${arguments[@]}"
