#!/usr/bin/env bash
# Publishes the Lambda host for Linux on x64, trimmed and compiled beforehand in one image, and packs artifacts/lambda/penstock-lambda.zip
# (runtime provided.al2023, handler ignored) with the penstock.json of this folder where there is one.
#   build/lambda.sh [--native]    --native compiles to native code instead, where the SDK has the pack for it and clang is installed
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

out=artifacts/lambda
package=$out/package
flags=()
case ${1-} in
  '') ;;
  --native) flags=(-p:PublishAot=true -p:PublishReadyToRun=false -p:PublishTrimmed=true) ;;
  *)
    echo "usage: build/lambda.sh [--native]" >&2
    exit 2
    ;;
esac

bash build/native.sh >&2
rm -rf "$package" "$out/penstock-lambda.zip"
mkdir -p "$package"
# Intermediate files and lock files of its own: those of the other builds know no runtime.
dotnet publish src/hosts/Penstock.Lambda -c Release -r linux-x64 --artifacts-path "$PWD/$out/build" -o "$package" -v quiet -nologo -clp:NoSummary \
  -p:NuGetLockFilePath=obj/lambda.lock.json -p:RunAnalyzers=false "${flags[@]+"${flags[@]}"}" >&2
rm -f "$package"/*.pdb "$package"/*.xml "$package"/web.config "$package"/*.staticwebassets.endpoints.json
# Lambda starts the file of this name.
mv "$package/Penstock.Lambda" "$package/bootstrap"
[[ ! -f penstock.json ]] || cp penstock.json "$package/"
chmod 755 "$package/bootstrap"

if command -v zip >/dev/null; then
  (cd "$package" && zip -q -r -9 -X ../penstock-lambda.zip .)
elif command -v python3 >/dev/null; then
  python3 - "$package" "$out/penstock-lambda.zip" <<'PY'
import os, sys, zipfile
folder, target = sys.argv[1:]
with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
    for root, _, names in os.walk(folder):
        for name in sorted(names):
            path = os.path.join(root, name)
            entry = zipfile.ZipInfo.from_file(path, os.path.relpath(path, folder))
            entry.compress_type = zipfile.ZIP_DEFLATED
            with open(path, "rb") as file:
                archive.writestr(entry, file.read())
PY
else
  echo "Neither zip nor python3 is installed: $package is not packed." >&2
fi

unpacked=$(du -sb "$package" | cut -f1)
packed=$(stat -c %s "$out/penstock-lambda.zip" 2>/dev/null || echo 0)
awk -v u="$unpacked" -v p="$packed" 'BEGIN { printf "package: %.1f MB unpacked (Lambda takes 250), %.1f MB packed (50 by upload, more by S3)\n", u / 1e6, p / 1e6 }'
