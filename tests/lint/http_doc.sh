#!/usr/bin/env bash
# edge/HTTP.md is true: every function, unit test and scenario that it names
# exists, each row names code and a test, and no clause of RFC 9111 sections 3
# to 5 is left out.
set -u
cd "$(dirname "$0")/../.."
doc=edge/HTTP.md
bad=0

complain() {
    echo "$doc: $*"
    bad=1
}

# The sections that a row of the tables must begin with.
clauses="3 3.1 3.2 3.3 3.4 3.5 4 4.1 4.2 4.2.1 4.2.2 4.2.3 4.2.4 4.3 4.3.1 4.3.2
    4.3.3 4.3.4 4.3.5 4.4 5.1 5.2 5.2.1.1 5.2.1.2 5.2.1.3 5.2.1.4 5.2.1.5 5.2.1.6
    5.2.1.7 5.2.2.1 5.2.2.2 5.2.2.3 5.2.2.4 5.2.2.5 5.2.2.6 5.2.2.7 5.2.2.8
    5.2.2.9 5.2.2.10 5.2.3 5.3 5.4 5.5"
for clause in $clauses; do
    grep -qE "^\| ${clause//./\\.} " "$doc" || complain "no row for section $clause"
done

# One name: "layer/file.c: function", "test_x.c: test" or "x.vtc".
check_name() {
    local file=${1%%: *} name=${1#*: } found
    case $1 in
    *.vtc)
        [ -e "tests/scenario/$1" ] || complain "there is no scenario $1"
        ;;
    test_*.c:*)
        found=$(find tests/unit -name "$file")
        # It is there, and in the list of those that run.
        [ -n "$found" ] && grep -qE "^$name\(void \*\*" $found &&
            grep -qE "\($name[,)]" $found ||
            complain "there is no unit test $1"
        ;;
    */*.c:*)
        [ -e "edge/$file" ] && grep -qE "^$name\(" "edge/$file" ||
            complain "there is no function $1"
        ;;
    *) complain "\"$1\" is neither a function, nor a unit test, nor a scenario" ;;
    esac
}

# Rows with four columns: clause, words, code, tests.
rows=0
while IFS='|' read -r _ clause _ code tests _; do
    rows=$((rows + 1))
    for column in "$code" "$tests"; do
        names=$(grep -o '`[^`]*`' <<<"$column" | tr -d '`')
        [ -n "$names" ] || complain "row \"${clause# }\" names no code, or no test"
        while read -r name; do
            [ -z "$name" ] || check_name "$name"
        done <<<"$names"
    done
    grep -q '\.c: ' <<<"$code" || complain "row \"${clause# }\" names no function"
done < <(sed 's/\\|/ /g' "$doc" | awk -F'|' 'NF == 6 && $2 !~ /^ (clause|---) $/')
[ "$rows" -gt 60 ] || complain "only $rows rows were found: has the form changed?"
exit $bad
