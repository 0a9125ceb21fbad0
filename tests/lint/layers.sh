#!/usr/bin/env bash
# Holds every #include against tests/lint/layers.txt. Prints each that does not
# fit, and fails if there is one.
set -u
cd "$(dirname "$0")/../.."
awk -v table=tests/lint/layers.txt '
BEGIN {
    while ((getline line < table) > 0) {
        if (line ~ /^#/ || line ~ /^ *$/) continue
        n = split(line, part, ":")
        gsub(/ /, "", part[1])
        layer[part[1]] = 1
        sees[part[1]] = " " part[1] " " part[2] " "
        third[part[1]] = " " part[3] " "
    }
    split("uv xxhash urcu sodium jansson hiredis curl gnutls microhttpd", names, " ")
    for (i in names) foreign[names[i]] = 1
    split("http route conf", without, " ")
    for (i in without) no_uv[without[i]] = 1
}
function owner(path,    p) {
    n = split(path, p, "/")
    if (p[1] == "origin") return "origin"
    return n > 2 ? p[2] : ""
}
/^#include/ {
    me = owner(FILENAME)
    if (me == "") next    # edge/main.c puts the parts together
    match($0, /["<][^">]*[">]/)
    header = substr($0, RSTART + 1, RLENGTH - 2)
    split(header, p, "/")
    first = p[1]
    sub(/[.-].*/, "", first)
    bare = header
    sub(/\.h$/, "", bare)
    if ($0 ~ /"/ && header ~ /\//) {
        if (p[1] in layer && index(sees[me], " " p[1] " ") == 0) {
            printf "%s:%d: layer %s must not include %s\n", FILENAME, FNR, me, header
            bad = 1
        }
        next
    }
    if ($0 ~ /</) {
        if (first == "uv" ? (me in no_uv) : (first in foreign && index(third[me], " " first " ") == 0)) {
            printf "%s:%d: layer %s must not use %s\n", FILENAME, FNR, me, header
            bad = 1
        }
    }
}
END { exit bad }
' $(find edge include origin -name '*.[ch]' | sort)
