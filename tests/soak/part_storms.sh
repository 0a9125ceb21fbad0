# Clients that leave: at every stage, by the hundred. Nothing is left of them,
# and those who stay get what they asked for.

# settle FDS: until everything that left has been noticed.
settle()
{
    local end=$((SECONDS + 10))
    until [ "$(fds)" -le "$1" ] && [ "$(metric atlas_flights)" = 0 ]; do
        ((SECONDS < end)) || return 1
        sleep 0.1
    done
}

# storm: one of each kind, at the same time.
storm()
{
    local to=$url/_test n=$1 pids=()
    # Before the head: cacheable (the fill goes on) and not (it is given up).
    timeout 0.7 "$TOOLS/slowclient" -n 150 \
        "$to/bytes/100000?delay=1000&cc=max-age=60&n=$n" &
    pids+=($!)
    timeout 0.7 "$TOOLS/slowclient" -n 150 \
        "$to/bytes/100000?delay=1000&cc=no-store&n=$n" &
    pids+=($!)
    # In the middle of a body: kept, sliding, each its own.
    "$TOOLS/slowclient" -n 100 --abort-after 400000 \
        "$to/bytes/1000000?cc=max-age=60&rate=1000000&n=$n" &
    pids+=($!)
    "$TOOLS/slowclient" -n 100 --abort-after 2000000 \
        "$to/bytes/20000000?cc=max-age=60&n=$n" &
    pids+=($!)
    "$TOOLS/slowclient" -n 50 --abort-after 2000000 \
        "$to/bytes/20000000?cc=no-store&n=$n" &
    pids+=($!)
    # While they send, also to an origin that reads slowly. (What a client has
    # sent when it is killed still comes: that takes its time.)
    timeout 0.7 "$TOOLS/slowclient" -n 50 --upload 10000000 --rate 1000000 \
        "$to/sink" &
    pids+=($!)
    timeout 0.7 "$TOOLS/slowclient" -n 20 --upload 100000000 --chunked \
        "$to/sink?rate=5000000" &
    pids+=($!)
    wait "${pids[@]}"
}

part_storms()
{
    local before_fds before_kb after_kb i
    begin "storms of clients that leave"
    restart '{"memory": "64MiB", "workers": 4,
        "limits": {"max_connections": 5000}}'
    # What the first storms leave in pools and arenas is no leak.
    for i in 1 2 3 4 5 6; do storm "warm$i" >"$WORK/warm" 2>&1; done
    check "settles" "$(settle 400; echo $?) == 0" "$(fds) descriptors"
    before_fds=$(fds) before_kb=$(kb VmRSS)

    "$TOOLS/slowclient" -n 4 --rate 1000000 --pattern 5 --timeout 20 \
        "$url/_test/bytes/20000000?version=5&cc=max-age=60" >"$WORK/stay" &
    local stayers=$!
    for ((i = 0; i < 15; i++)); do
        storm "$i" >"$WORK/storm.$i" 2>&1
    done
    wait $stayers
    check "those who stay" "$(all_whole "$WORK/stay" 20000000) == 0" \
        "$(jq -c '[.bytes, .seconds, .error]' "$WORK/stay" | tr '\n' ' ')"
    check "fills are gone" "$(settle $((before_fds + 8)); echo $?) == 0" \
        "fills $(metric atlas_flights), descriptors $before_fds -> $(fds)"
    after_kb=$(kb VmRSS)
    check "memory is given back" "$after_kb < $before_kb * 1.2" \
        "VmRSS $before_kb -> $after_kb KiB over 15 storms of 650"
    check "connections" \
        "$(metric atlas_connections_total) - \
         $(metric atlas_connections_closed_total) == 0" \
        "$(metric atlas_connections_total) accepted," \
        "$(metric atlas_connections_closed_total) ended"
    check "it still serves" "$(curl -sS -o /dev/null -w '%{http_code}' \
        "$url/_test/bytes/10") == 200" ""
    finish_part
}
