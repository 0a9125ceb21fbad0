#!/usr/bin/env bash
# Sizes that keep the source readable: functions to 80 lines, files to 700,
# headers to 200 (150 is what to aim at), 8 arguments (a callback of
# libmicrohttpd has as many; six is what to aim at). The list of
# exceptions is empty, and stays so.
set -u
cd "$(dirname "$0")/../.."
bad=0
while read -r lines file; do
    [ "$file" = total ] && continue
    limit=700
    case "$file" in include/*) limit=200 ;; esac
    if [ "$lines" -gt "$limit" ]; then
        echo "$file: $lines lines, at most $limit"
        bad=1
    fi
done < <(find edge include origin tests -name '*.[ch]' -print0 | xargs -0 wc -l)
if command -v ctags >/dev/null; then
    long=$(find edge origin tests -name '*.c' -print0 |
        xargs -0 ctags --c-kinds=f --fields=+neS -f - 2>/dev/null |
        awk -F'\t' '{
            start = finish = 0; args = 0
            for (i = 4; i <= NF; i++) {
                if ($i ~ /^line:/) start = substr($i, 6)
                if ($i ~ /^end:/) finish = substr($i, 5)
                if ($i ~ /^signature:/) { s = $i; gsub(/\([^()]*\)[^()]*$/, "&", s); args = gsub(/,/, ",", s) + 1 }
            }
            if (finish - start + 1 > 80)
                printf "%s:%s: %s has %d lines, at most 80\n", $2, start, $1, finish - start + 1
            if (args > 8)
                printf "%s:%s: %s takes %d arguments, at most 8\n", $2, start, $1, args
        }')
    if [ -n "$long" ]; then
        echo "$long"
        bad=1
    fi
fi
exit $bad
