#!/usr/bin/env bash
# Puts what the build takes from npm into artifacts/ (git-ignored):
#   native/libe_sqlite3.so           the newest SQLite, compiled once from its public-domain amalgamation
#   tokenizer/{o200k,cl100k}_base.tiktoken   rank files for exact token counts
# Where Node or a C compiler lacks, one line says what is used instead. A second run does nothing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

sources=build/native
out=artifacts
log=$out/native.log
rank_files="o200k_base.tiktoken cl100k_base.tiktoken"
case "$(uname -s)" in
  Darwin) library=libe_sqlite3.dylib; platform=() ;;
  *) library=libe_sqlite3.so; platform=(-Wl,-z,relro,-z,now -DHAVE_FDATASYNC=1) ;;
esac

# DQS=0 makes a misspelt column an error instead of a string. DEFAULT_*SYNCHRONOUS=2 is FULL: a connection that
# forgets the pragma is still durable. What we never call is left out: extensions from files, shared caches.
# THREADSAFE=1 costs little and keeps a stray call from another thread from corrupting memory.
flags=(
  -O2 -fPIC -shared -fstack-protector-strong -D_FORTIFY_SOURCE=2
  -DSQLITE_THREADSAFE=1 -DSQLITE_DQS=0 -DSQLITE_DEFAULT_MEMSTATUS=0
  -DSQLITE_DEFAULT_SYNCHRONOUS=2 -DSQLITE_DEFAULT_WAL_SYNCHRONOUS=2
  -DSQLITE_OMIT_LOAD_EXTENSION -DSQLITE_OMIT_DEPRECATED -DSQLITE_OMIT_SHARED_CACHE
  -DSQLITE_LIKE_DOESNT_MATCH_BLOBS -DSQLITE_ENABLE_JSON1 -DSQLITE_ENABLE_FTS5 -DSQLITE_ENABLE_MATH_FUNCTIONS
  -DHAVE_USLEEP=1 "${platform[@]+"${platform[@]}"}"
)

main() {
  mkdir -p $out/native $out/tokenizer
  local stamp
  stamp="$(cksum build/native.sh $sources/package-lock.json) $(uname -sm)"
  local need_sqlite=1 need_ranks=1
  is_done native $library && need_sqlite=0
  # shellcheck disable=SC2086
  is_done tokenizer $rank_files && need_ranks=0
  [ $need_sqlite = 0 ] && [ $need_ranks = 0 ] && return

  local lacking=""
  if ! has node || ! has npm; then
    lacking="Node 20+ with npm is not installed"
  elif { [ $need_ranks = 1 ] || has_compiler; } && ! fetch; then
    lacking="npm could not fetch them (see $log)"
  fi

  [ $need_sqlite = 0 ] || build_sqlite
  [ $need_ranks = 0 ] || copy_ranks
}

is_done() {
  local folder=$out/$1 file
  shift
  [ -f "$folder/stamp" ] && [ "$(cat "$folder/stamp")" = "$stamp" ] || return 1
  for file in "$@"; do [ -s "$folder/$file" ] || return 1; done
}

has() { command -v "$1" >/dev/null 2>&1; }

has_compiler() {
  for compiler in gcc cc clang; do has $compiler && return; done
  return 1
}

# Scripts of packages are not run: we take two sources, never a binary that somebody else built.
fetch() { (cd $sources && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error) >$log 2>&1; }

build_sqlite() {
  local why="$lacking" new=$out/native/$library.new
  [ -n "$why" ] || has_compiler || why="no C compiler is installed"
  if [ -z "$why" ]; then
    echo "Compiling SQLite once (about 20 s) ..."
    if $compiler "${flags[@]}" -o "$new" $sources/node_modules/better-sqlite3/deps/sqlite3/sqlite3.c -lpthread -lm -ldl >>$log 2>&1; then
      mv -f "$new" "$out/native/$library"
      printf '%s' "$stamp" >$out/native/stamp
      return
    fi
    why="$compiler could not compile it (see $log)"
  fi

  rm -f "$new" "$out/native/$library" $out/native/stamp
  if ! has_system_sqlite; then
    echo "There is no SQLite to run on: $why, and the system has none either." >&2
    echo "Install Node 20+ and a C compiler (Debian: apt install nodejs npm gcc), or the system's SQLite (Debian: apt install libsqlite3-0), and run this again." >&2
    exit 1
  fi
  echo "Using the system's SQLite instead of the newest: $why."
}

has_system_sqlite() {
  [ "$(uname -s)" != Darwin ] || return 0
  # ldconfig prints to a variable: grep -q would close the pipe early and pipefail would call that a failure.
  local known
  known=$(PATH="$PATH:/sbin:/usr/sbin" ldconfig -p 2>/dev/null || true)
  case "$known" in *libsqlite3.so.0*) return 0 ;; esac
  compgen -G "/usr/lib*/libsqlite3.so.0" >/dev/null || compgen -G "/usr/lib/*/libsqlite3.so.0" >/dev/null ||
    compgen -G "/lib/*/libsqlite3.so.0" >/dev/null
}

copy_ranks() {
  local file
  if [ -n "$lacking" ]; then
    echo "Token counts are estimates, for want of the tokenizer's rank files: $lacking."
    return
  fi
  for file in $rank_files; do cp "$sources/node_modules/gpt-tokenizer/data/$file" "$out/tokenizer/$file"; done
  printf '%s' "$stamp" >$out/tokenizer/stamp
}

main
