#!/usr/bin/env bash
# Builds Penstock and serves it. See --help.
set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)

usage() {
  cat <<'TEXT'
usage: ./run.sh [--help] [-- arguments for the server]

Builds Penstock (Release) and serves it on http://localhost:3000 until Ctrl-C or SIGTERM.
Needs the .NET 10 SDK. Node 20 with npm and a C compiler are used where present.

Settings are read from the environment, ./.env, ./penstock.json and ./appsettings.json of this folder:
  PORT                     port to serve on (3000)
  PENSTOCK_DATA            folder of the data (./data)
  PENSTOCK_ADMIN_KEY       the admin key; without it one is made and shown once on the first start
  OPENAI_API_KEY, ANTHROPIC_API_KEY   without either, the provider 'local' answers
All others: docs/guide/configuration.md
TEXT
}

say() { printf '%s\n' "$*" >&2; }

need_dotnet() {
  command -v dotnet >/dev/null || { [[ -x $HOME/.dotnet/dotnet ]] && export DOTNET_ROOT=$HOME/.dotnet PATH=$HOME/.dotnet:$PATH; } || true
  # Asked inside the repository, so that global.json decides.
  if ! (cd "$root" && dotnet --version) >/dev/null 2>&1; then
    say "Penstock needs the .NET 10 SDK, and 'dotnet --version' did not find it."
    say "Get it from https://dotnet.microsoft.com/download/dotnet/10.0, then run this again."
    exit 1
  fi
}

prepare_native() {
  [[ -f $root/build/native.sh ]] || return 0
  # It fails only where the machine offers nothing to use instead, and says so.
  bash "$root/build/native.sh" >&2 || exit 1
}

build() {
  local log started=$SECONDS
  log=$(mktemp)
  printf 'Building Penstock (Release) ... ' >&2
  if ! dotnet build "$root/src/hosts/Penstock.Server" -c Release -v quiet -nologo -clp:NoSummary >"$log" 2>&1; then
    say "failed."
    cat "$log" >&2
    rm -f "$log"
    exit 1
  fi
  rm -f "$log"
  say "done in $((SECONDS - started)) s."
}

case ${1-} in
  -h | --help)
    usage
    exit 0
    ;;
  --) shift ;;
  '') ;;
  *)
    say "run.sh does not know '$1'."
    usage >&2
    exit 2
    ;;
esac

export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1
need_dotnet
prepare_native
build
cd "$root"
exec dotnet "$root/src/hosts/Penstock.Server/bin/Release/net10.0/Penstock.Server.dll" "$@"
