# 1,000 requests at the same moment for what is private: each gets its own
# answer, within twice the time of going direct.

# one_round DELAY: a line: direct's maximum and median, then the edge's.
one_round()
{
    local path="/_test/private?delay=$1&n=$RANDOM$RANDOM" at
    for at in 7000 8080; do
        "$TOOLS/burst" -n 1000 "http://$IP:$at$path" >"$WORK/burst.$at"
        jq -e '.failed == 0 and .distinct == 1000 and
            .statuses == {"200": 1000}' "$WORK/burst.$at" >/dev/null ||
            echo "wrong: $(cat "$WORK/burst.$at")" >&2
    done
    jq -r '"\(.max_ms) \(.median_ms)"' "$WORK/burst.7000" "$WORK/burst.8080" |
        tr '\n' ' '
    echo
}

# middle COLUMN: the median of a column.
middle() { sort -n -k"$1,$1" "$WORK/rounds" | awk -v c="$1" '{ v[NR] = $c }
    END { print v[int((NR + 1) / 2)] }'; }

part_private()
{
    local delay
    begin "1,000 private requests at once"
    restart '{"memory": "64MiB", "workers": 0,
        "limits": {"max_connections": 5000}}'
    for delay in 0 100; do
        for _ in 1 2 3 4 5 6 7; do
            one_round $delay
        done >"$WORK/rounds" 2>"$WORK/wrong"
        check "delay $delay ms, each its own" \
            "$(grep -c . "$WORK/wrong") == 0" "$(head -c 300 "$WORK/wrong")"
        check "delay $delay ms, last answer" \
            "$(middle 3) <= 2 * $(middle 1)" "direct $(middle 1) ms," \
            "edge $(middle 3) ms (medians of 7; medians of all" \
            "answers: $(middle 2) and $(middle 4) ms)"
    done
    # The marks of the first round are 10 s old now: cold and warm both count.
    finish_part
}
