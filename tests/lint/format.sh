#!/usr/bin/env bash
# Every C file is as clang-format leaves it (.clang-format; Debian's version).
set -u
cd "$(dirname "$0")/../.."
find edge include origin tests -name '*.[ch]' -print0 |
    xargs -0 clang-format --dry-run -Werror 2>&1 | grep -E 'error|warning' |
    head -40
exit "${PIPESTATUS[1]}"
