#!/usr/bin/env bash
# Cold starts of the published Lambda host: from the start of the process to its first answer, with tables that are there. Beside it, Node's http server with
# one line of code, from its start to its first answer on the same machine. Prints P50, P95 and their ratio; exit code 1 where P95 is over the limit.
#   bench/coldstart.sh [runs]     20 runs where none is said
#   COLDSTART_LIMIT_MS            the limit (850)
#   COLDSTART_PACKAGE             the folder of the package (artifacts/lambda/package, made by build/lambda.sh)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

package=${COLDSTART_PACKAGE:-artifacts/lambda/package}
[[ -x $package/bootstrap ]] || bash build/lambda.sh
[[ -d tests/emulators/node_modules ]] || npm ci --prefix tests/emulators --ignore-scripts --no-audit --no-fund >/dev/null
exec node bench/coldstart/coldstart.mjs "$package" "${1:-20}" "${COLDSTART_LIMIT_MS:-850}"
