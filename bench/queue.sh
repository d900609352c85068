#!/usr/bin/env bash
# 10,000 jobs through a queue that sends a fifth of its messages twice and loses a fifth of its acknowledgements: each has its effect once, none is lost, poison is
# buried after its attempts, and sent back it is done. Another number of jobs as the first argument.
set -euo pipefail
cd "$(dirname "$0")/.."
dotnet build tests/Penstock.Sqlite.Tests -c Release -v q
PENSTOCK_QUEUE_MESSAGES="${1:-10000}" dotnet tests/Penstock.Sqlite.Tests/bin/Release/net10.0/Penstock.Sqlite.Tests.dll -class "*JobEffects*" -diagnostics
