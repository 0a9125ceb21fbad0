#!/usr/bin/env bash
# Holds tests/conformance/BEHAVIOURS.md against what there is: an id in it is
# defined in one of the files of its row, and no other row has it; every case of
# ours and every id in a scenario has a row; files exist. Where node is there,
# kinds are those of the cases, too. Prints what does not fit, and fails.
set -u
export LC_ALL=C
cd "$(dirname "$0")/../.." || exit 2
table=tests/conformance/BEHAVIOURS.md
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# "ID FILE" of every definition. In cases an id opens a row or a call, or
# follows `id:`; in scenarios it opens a line of comment.
{
    grep -oE "(\[|\(|id: )'atlas-[a-z0-9-]+'" tests/conformance/cases/*.mjs |
        sed -E "s/^([^:]+):.*'(atlas-[a-z0-9-]+)'$/\2 \1/"
    grep -oE '^# +atlas-[a-z0-9-]+' tests/scenario/*.vtc |
        sed -E 's/^([^:]+):# +/\1 /; s/^([^ ]+) (.*)$/\2 \1/'
} | sort >"$work/defined"

awk -v table="$table" '
function complain(text) { print table ":" FNR ": " text; bad = 1 }
# Where a name in the last column is.
function place(name) {
    if (name ~ /\.mjs$/) return "tests/conformance/cases/" name
    if (name ~ /\.vtc$/) return "tests/scenario/" name
    return units[name]
}
function readable(path,    line, got) {
    got = path == "" ? -1 : (getline line < path)
    if (path != "") close(path)
    return got >= 0
}
BEGIN {
    find = "find tests/unit -name \"test_*.c\""
    while ((find | getline path) > 0) {
        n = split(path, part, "/")
        units[part[n]] = path
    }
}
NR == FNR {
    if ($1 in home) {
        print $2 ": " $1 " is defined twice"
        bad = 1
    }
    home[$1] = $2
    next
}
/^\| / && !/^\| (behaviour|---)/ {
    if (split($0, cell, " *\\| *") != 7) { complain("not five cells"); next }
    if (cell[3] != "required" && cell[3] != "optimal")
        complain("kind \"" cell[3] "\"")
    if (cell[4] !~ /^[0-9]+ [0-9.]+$/) complain("clause \"" cell[4] "\"")
    gsub(/`/, "", cell[5])
    gsub(/`/, "", cell[6])
    files = split(cell[6], file, " ")
    if (files == 0) complain("no file is named")
    split("", here)
    for (i = 1; i <= files; i++) {
        where = place(file[i])
        here[where] = 1
        if (!readable(where)) complain("there is no " file[i])
    }
    ids = split(cell[5], id, " ")
    for (i = 1; i <= ids; i++) {
        if (id[i] in row) complain(id[i] " has a row already")
        row[id[i]] = 1
        if (!(id[i] in home)) complain(id[i] " is not defined anywhere")
        else if (!(home[id[i]] in here))
            complain(id[i] " is in " home[id[i]] ", which the row does not name")
        print id[i], cell[3] >kinds
    }
}
END {
    for (i in home) {
        if (i in row) continue
        print home[i] ": " i " has no row in " table
        bad = 1
    }
    exit bad
}
' kinds="$work/kinds" "$work/defined" "$table"
bad=$?

# The cases as the engine sees them.
cat >"$work/kinds.mjs" <<'END'
import fs from 'node:fs'
import path from 'node:path'
const folder = path.resolve('tests/conformance/cases')
for (const name of fs.readdirSync(folder)) {
  if (!name.endsWith('.mjs')) continue
  const { default: cases } = await import(path.join(folder, name))
  for (const { id, kind } of cases) console.log(id, kind ?? 'required')
}
END
if command -v node >/dev/null; then
    node "$work/kinds.mjs" | sort >"$work/cases" || bad=1
    awk '{ print $1 }' "$work/cases" >"$work/found"
    grep '\.mjs$' "$work/defined" | awk '{ print $1 }' |
        diff "$work/found" - | sed -n 's/^[<>] \(.*\)/\1: not one case/p' |
        grep . && bad=1
    sort "$work/kinds" | join - "$work/cases" |
        awk '$2 != $3 { print $1 ": a row says " $2 ", the case " $3; b = 1 }
            END { exit b }' || bad=1
fi
exit "$bad"
