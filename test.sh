#!/usr/bin/env bash
# Builds everything, runs every suite and ends with one line: N passed, N failed. See --help.
set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
cd "$root"

usage() {
  cat <<'TEXT'
usage: ./test.sh [--help] [--list] [name ...]

Installs what the tests need, checks the format, builds with warnings as errors, and runs all suites.
A name runs only the suites whose name contains it, such as: ./test.sh Sqlite clients
  --list             the names of the suites
Environment:
  SUITE_TIMEOUT      seconds one suite may take (1200)

The last line is 'N passed, N failed'; the exit code is 0 only where nothing failed.
A step or a suite that breaks counts as a failure. Logs stay in artifacts/test.
TEXT
}

passed=0 failed=0 finished='' child=''
skipped=()
logs=$root/artifacts/test
configuration=Release
limit=${SUITE_TIMEOUT:-1200}

finish() {
  local code=$?
  trap - EXIT
  # A signal may come while output goes to a log.
  exec >&3
  # An end that nobody asked for: a bug of this script, or a signal.
  if [[ -z $finished ]]; then
    printf 'test.sh ended early (exit code %s).\n' "$code"
    failed=$((failed + 1))
  fi
  if ((${#skipped[@]} > 0)); then
    printf '%s skipped:\n' "${#skipped[@]}"
    printf '  %s\n' "${skipped[@]}"
  else
    printf '0 skipped\n'
  fi
  printf '%s passed, %s failed\n' "$passed" "$failed"
  ((failed == 0)) && exit 0
  exit 1
}

# Suites: test projects by their reference to the test framework, then the clients of other languages.
suites() {
  local project
  for project in tests/*/*.csproj; do
    grep -q 'Include="xunit.v3"' "$project" && basename "$project" .csproj
  done
  [[ -f tests/clients/package.json ]] && echo clients
  return 0
}

wanted() {
  local name
  ((${#filters[@]} == 0)) && return 0
  for name in "${filters[@]}"; do
    [[ ${1,,} == *"${name,,}"* ]] && return 0
  done
  return 1
}

# step <title> <log name> <command ...>: a step is no test; it counts only where it fails.
step() {
  local title=$1 log=$logs/$2.log started=$SECONDS
  shift 2
  printf '%-34s' "$title"
  if "$@" >"$log" 2>&1 3>&-; then
    printf '%4s s\n' "$((SECONDS - started))"
    return 0
  fi
  printf '%4s s  FAILED\n' "$((SECONDS - started))"
  tail -n 60 "$log" | sed 's/^/    /'
  failed=$((failed + 1))
  return 1
}

# In the background, because the shell answers a signal only between commands or in 'wait'.
bounded() {
  if command -v timeout >/dev/null; then timeout --kill-after=20 "$limit" "$@" 3>&- & else "$@" 3>&- & fi
  child=$!
  local code=0
  wait "$child" || code=$?
  child=
  return "$code"
}

interrupted() {
  [[ -n $child ]] && kill "$child" 2>/dev/null
  exit "$1"
}

# report <name> <seconds> <exit code> <ran> <passed> <failed> <skipped> <log>
report() {
  local name=$1 seconds=$2 code=$3 ran=$4 good=$5 bad=$6 left=$7 log=$8 note=
  if [[ $ran == crashed ]]; then
    bad=$((bad + 1)) note="  (ended without a summary, exit code $code)"
    [[ $code == 124 || $code == 137 ]] && note="  (stopped after $limit s)"
  elif ((code != 0 && bad == 0)); then
    bad=1 note="  (exit code $code though no test failed)"
  elif ((good + bad + left == 0)); then
    bad=1 note="  (ran no test)"
  fi
  passed=$((passed + good)) failed=$((failed + bad))
  printf '%-34s%4s s  %s passed, %s failed, %s skipped%s\n' "$name" "$seconds" "$good" "$bad" "$left" "$note"
  if ((bad > 0)); then
    { grep -vE 'Discover(ing|ed):|Starting:|^(ok|    ok|# Subtest)' "$log" || true; } | tail -n 150 | sed 's/^/    /'
  fi
}

run_dotnet_suite() {
  local name=$1 log=$logs/$1.log started=$SECONDS code=0 summary line
  bounded dotnet "tests/$name/bin/$configuration/net10.0/$name.dll" -noColor -noLogo >"$log" 2>&1 || code=$?
  # '   Name  Total: 77, Errors: 0, Failed: 2, Skipped: 0, Not Run: 0, Time: 1.938s'
  summary=$(grep -E '^ *[A-Za-z0-9._-]+ +Total: [0-9]+, Errors: [0-9]+, Failed: [0-9]+, Skipped: [0-9]+' "$log" | tail -n 1 || true)
  if [[ $summary =~ Total:\ ([0-9]+),\ Errors:\ ([0-9]+),\ Failed:\ ([0-9]+),\ Skipped:\ ([0-9]+)(,\ Not\ Run:\ ([0-9]+))? ]]; then
    local total=${BASH_REMATCH[1]} errors=${BASH_REMATCH[2]} bad=${BASH_REMATCH[3]} left=${BASH_REMATCH[4]} unrun=${BASH_REMATCH[6]:-0}
    while IFS= read -r line; do skipped+=("$name: $line"); done < <(sed -nE 's/^ *(.*) \[SKIP\]$/\1/p' "$log")
    report "$name" "$((SECONDS - started))" "$code" whole "$((total - bad - left - unrun))" "$((bad + errors))" "$left" "$log"
  elif grep -qE '^ *[A-Za-z0-9._-]+ +Total: 0$' "$log"; then
    report "$name" "$((SECONDS - started))" "$code" whole 0 0 0 "$log"
  else
    report "$name" "$((SECONDS - started))" "$code" crashed 0 0 0 "$log"
  fi
}

# Node writes '# pass 12' or 'ℹ pass 12' by its reporter, once per 'node --test'.
node_count() { sed -nE "s/^(#|ℹ) $1 ([0-9]+)\$/\\2/p" "$2" | awk '{ sum += $1 } END { print sum + 0 }'; }

run_node_suite() {
  local name=$1 log=$logs/$1.log started=$SECONDS code=0 line
  if ! command -v npm >/dev/null; then
    skipped+=("$name: all of it, because Node 20 or newer with npm is not installed")
    return 0
  fi
  bounded npm --prefix "tests/$name" --silent test >"$log" 2>&1 || code=$?
  if grep -qE '^(#|ℹ) pass [0-9]+$' "$log"; then
    while IFS= read -r line; do skipped+=("$name: $line"); done < <(sed -nE 's/^ *(ok [0-9]+ - |not ok [0-9]+ - |﹣ )(.*) # (SKIP|TOD[O]).*$/\2/p' "$log")
    report "$name" "$((SECONDS - started))" "$code" whole "$(node_count pass "$log")" \
      "$(($(node_count fail "$log") + $(node_count cancelled "$log")))" "$(($(node_count skipped "$log") + $(node_count todo "$log")))" "$log"
  else
    report "$name" "$((SECONDS - started))" "$code" crashed 0 0 0 "$log"
  fi
}

need_dotnet() {
  command -v dotnet >/dev/null || { [[ -x $HOME/.dotnet/dotnet ]] && export DOTNET_ROOT=$HOME/.dotnet PATH=$HOME/.dotnet:$PATH; } || true
  if ! dotnet --version >/dev/null 2>&1; then
    echo "The tests need the .NET 10 SDK: https://dotnet.microsoft.com/download/dotnet/10.0"
    failed=1 finished=yes
    exit 1
  fi
}

# Node runs the official clients and supplies SQLite's source; where we may install it, we do.
need_node() {
  command -v npm >/dev/null && return 0
  [[ $(id -u) == 0 ]] && command -v apt-get >/dev/null || return 0
  step "installing node and npm" apt bash -c 'apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends nodejs npm' || true
}

# install_npm <folder of tests>
install_npm() {
  [[ -f tests/$1/package-lock.json ]] && command -v npm >/dev/null || return 0
  # npm writes this file last, so it is newer than the lock only after a whole install.
  [[ tests/$1/node_modules/.package-lock.json -nt tests/$1/package-lock.json ]] && return 0
  step "npm ci (tests/$1)" "npm-$1" npm --prefix "tests/$1" ci --ignore-scripts --no-audit --no-fund || true
}

# A program for Linux on x64; npm refuses it elsewhere, and its tests are skipped there.
install_emulators() {
  [[ $(uname -sm) == 'Linux x86_64' ]] || return 0
  install_npm emulators
}

prepare_native() {
  [[ -f build/native.sh ]] || return 0
  step "native parts" native bash build/native.sh || return 0
  sed 's/^/    /' "$logs/native.log"
}

filters=()
for argument in "$@"; do
  case $argument in
    -h | --help)
      usage
      exit 0
      ;;
    --list)
      suites
      exit 0
      ;;
    -*)
      echo "test.sh does not know '$argument'." >&2
      usage >&2
      exit 2
      ;;
    *) filters+=("$argument") ;;
  esac
done

selected=()
while IFS= read -r suite; do
  if wanted "$suite"; then selected+=("$suite"); fi
done < <(suites)
if ((${#selected[@]} == 0)); then
  echo "No suite is named like '${filters[*]-}'; ./test.sh --list names them." >&2
  exit 2
fi

exec 3>&1
trap finish EXIT
trap 'interrupted 130' INT
trap 'interrupted 143' TERM
export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1 NO_COLOR=1
rm -rf "$logs"
mkdir -p "$logs"

need_dotnet
need_node
prepare_native
install_npm clients
install_emulators
step "restore (locked)" restore dotnet restore Penstock.slnx --locked-mode -v quiet || { finished=yes; exit 1; }
step "format" format dotnet format whitespace --folder . --include src infra tests --exclude tests/clients tests/emulators/node_modules --verify-no-changes || true
step "build (Release)" build dotnet build Penstock.slnx -c "$configuration" --no-restore -warnaserror -v quiet -nologo -clp:NoSummary || { finished=yes; exit 1; }
for suite in "${selected[@]}"; do
  if [[ $suite == clients ]]; then run_node_suite "$suite"; else run_dotnet_suite "$suite"; fi
done
finished=yes
