# One worker, and clients that are slow in every way: the others do not notice.

# latency FILE: curl's time of 200 requests for URL, in ms: median, 99th, last.
latency()
{
    local i
    for ((i = 0; i < 200; i++)); do
        curl -sS -o /dev/null -w '%{time_total}\n' "$1"
    done | sort -n | awk '{ t[NR] = $1 * 1000 }
        END { printf "%.2f %.2f %.2f\n", t[100], t[198], t[200] }'
}

part_limits()
{
    local to=$url/_test pids=() fd quiet busy last
    begin "slow clients beside others, on one worker"
    restart '{"memory": "64MiB", "workers": 1, "limits":
        {"max_connections": 5000, "drain_timeout": "1s", "header_timeout": "5s"}}'
    curl -sS -o /dev/null "$to/bytes/1000?cc=max-age=60"
    quiet=$(latency "$to/bytes/1000?cc=max-age=60")

    "$TOOLS/slowclient" -n 200 --rate 50000 \
        "$to/bytes/1000000000?cc=max-age=60" >"$WORK/slow.1" &
    pids+=($!)
    "$TOOLS/slowclient" -n 200 --rate 50000 --upload 1000000000 \
        "$to/sink" >"$WORK/slow.2" &
    pids+=($!)
    "$TOOLS/slowclient" -n 100 --upload 1000000000 "$to/sink?rate=50000" \
        >"$WORK/slow.3" &
    pids+=($!)
    for ((fd = 100; fd < 300; fd++)); do
        eval "exec $fd<>/dev/tcp/$IP/8080"
        printf 'GET /a HTTP/1.1\r\nHost: a\r\nX-Drip: ' >&$fd
    done
    (
        while :; do
            for ((fd = 100; fd < 300; fd++)); do
                printf x >&$fd 2>/dev/null
            done 2>/dev/null
            sleep 0.2
        done
    ) &
    pids+=($!)
    sleep 1
    busy=$(latency "$to/bytes/1000?cc=max-age=60")
    set -- $busy
    last=$3
    check "hits" "$1 < 20 && $last < 250" \
        "median, 99th, last of 200: $quiet ms alone, $busy ms beside 700 slow"
    busy=$(latency "$to/bytes/1000?cc=no-store")
    set -- $busy
    check "misses" "$1 < 40 && $3 < 500" "$busy ms beside 700 slow ones"
    sleep 6
    check "dripping heads were cut" \
        "$(ss -tnH state established "( sport = 8080 )" src "$IP" |
            wc -l) <= 510" "$(metric atlas_connections) connections of 700 left"
    kill "${pids[@]}" 2>/dev/null
    wait "${pids[@]}" 2>/dev/null
    for ((fd = 100; fd < 300; fd++)); do
        eval "exec $fd>&-"
    done
    check "memory" "$(kb VmHWM) < (64 + 64 + 250) * 1024" \
        "VmHWM $(kb VmHWM) KiB with 500 streams of at most 512 KiB each"
    finish_part
}
