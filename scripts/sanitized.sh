#!/usr/bin/env bash
# Runs a command with kernels that stop at whatever C leaves undefined or lies outside of a buffer, each of which is an
# allocation of its own: scripts/sanitized.sh npx vitest run test/backend
set -euo pipefail
compiler=${THAW_CC:-gcc}
preload=$("$compiler" -print-file-name=libasan.so):$("$compiler" -print-file-name=libubsan.so)
# What the engine itself has not freed at its end is no leak of a kernel's.
export ASAN_OPTIONS=detect_leaks=0 THAW_SANITIZE=1 THAW_BACKEND=native THAW_CC=$compiler LD_PRELOAD=$preload
exec "$@"
