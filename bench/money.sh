#!/usr/bin/env bash
# Figures of the embedded store's money: durable reserve+settle pairs a second beside the disk's own sync rate, and the time of usage queries.
# Usage: bench/money.sh [pairs|queries] [calls]
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
dotnet build bench/money -c Release -v q --nologo >/dev/null
exec dotnet bench/money/bin/Release/net10.0/Penstock.Bench.Money.dll "$@"
