# 2,000 idle keep-alive connections: the limit of files is raised as far as it
# goes, and hits go on as fast as before.
part_idle()
{
    local fd before quiet busy soft
    begin "2,000 idle connections"
    soft=$(ulimit -Sn)
    ulimit -Sn 256
    restart '{"memory": "64MiB", "workers": 2,
        "limits": {"max_connections": 3000, "idle_timeout": "60s"}}'
    ulimit -Sn "$soft"
    check "limit of open files" \
        "$(awk '/^Max open files/ { print ($4 == $5 && $4 > 256) }' \
            "/proc/$(cat "$WORK/e1.pid")/limits") == 1" \
        "$(awk '/^Max open files/ { print $4 }' \
            "/proc/$(cat "$WORK/e1.pid")/limits") (256 when it started)"
    curl -sS -o /dev/null "$url/_test/bytes/1000?cc=max-age=60"
    quiet=$(latency "$url/_test/bytes/1000?cc=max-age=60")
    before=$(kb VmRSS)
    for ((fd = 100; fd < 2100; fd++)); do
        eval "exec $fd<>/dev/tcp/$IP/8080"
        printf 'GET /_test/bytes/1000?cc=max-age=60 HTTP/1.1\r\nHost: %s:8080\r\n\r\n' \
            "$IP" >&$fd
    done
    sleep 1
    check "they are open" "$(metric atlas_connections) >= 2000" \
        "$((($(kb VmRSS) - before) * 1024 / 2000)) bytes of VmRSS each"
    busy=$(latency "$url/_test/bytes/1000?cc=max-age=60")
    set -- $busy
    check "hits go on" "$1 < 10 && $3 < 250" \
        "median, 99th, last of 200: $quiet ms alone, $busy ms beside 2,000"
    "$TOOLS/burst" -n 900 "$url/_test/bytes/1000?cc=max-age=60" >"$WORK/burst"
    check "900 more at once" "$(jq .failed "$WORK/burst") == 0" \
        "$(jq -c '[.median_ms, .max_ms]' "$WORK/burst") ms"
    for ((fd = 100; fd < 2100; fd++)); do
        eval "exec $fd>&-"
    done
    finish_part
}
