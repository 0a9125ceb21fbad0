# Three sites of two nodes: 20,000 invalidations a second, for a minute, and
# how far behind the last of the six nodes is at the end; then purges that wait
# for all nodes, while 1,000 a second go on.

# batch SITE ROUND COUNT: a body of as many purges, all of URLs of their own.
batch()
{
    awk -v site="$1" -v round="$2" -v n="$3" -v ip="$IP" 'BEGIN {
        printf "{\"purges\":["
        for (i = 0; i < n; i++)
            printf "%s{\"kind\":\"url\",\"url\":\"http://%s/%s/%d/%d\"}",
                i ? "," : "", ip, site, round, i
        print "]}"
    }'
}

rates_nodes="paris-1 paris-2 tokyo-1 tokyo-2 virginia-1 virginia-2"

# What each node has applied, the least first.
applied_everywhere()
{
    local node
    for node in $rates_nodes; do
        cluster.sh value "$node" atlas_invalidations_applied_total
    done | sort -n
}

# send ROUNDS COUNT: each second as many at each site; a round that is late is
# not made up for by haste of the next.
send()
{
    local round site start=$EPOCHREALTIME
    for ((round = 0; round < $1; round++)); do
        for site in paris tokyo virginia; do
            cluster.sh admin "$site-1" /v1/purge -o /dev/null \
                -w '%{http_code}\n' --max-time 30 \
                --data-binary "@$WORK/batch-$site-$((round % 4))-$2" \
                >>"$WORK/codes" &
        done
        sleep "$(awk -v s="$start" -v now="$EPOCHREALTIME" -v r="$round" \
            'BEGIN { d = s + r + 1 - now; print (d > 0 ? d : 0) }')"
    done
    wait $(jobs -rp)
    awk -v s="$start" -v now="$EPOCHREALTIME" 'BEGIN { print now - s }' \
        >"$WORK/took"
}

# Milliseconds of ten purges that wait for all nodes, one after the other.
acknowledged()
{
    local i
    for i in {1..10}; do
        cluster.sh admin paris-1 /v1/purge -o "$WORK/answer" \
            -w '%{time_total}\n' -d "{\"kind\":\"url\",\"wait\":\"all\",
            \"url\":\"http://$IP/acknowledged/$i\",\"deadline_ms\":9000}" |
            awk '{ printf "%.1f\n", $1 * 1000 }'
        grep -q '"acknowledged":true' "$WORK/answer" ||
            echo "purge $i is not" >&2
    done | sort -n
}

part_rates()
{
    local before want lag start round site seconds=60 each=6667
    echo "20,000 invalidations a second at six nodes"
    command -v redis-server >/dev/null || { echo "  no redis-server" && return; }
    rm -rf "$WORK" && mkdir -p "$WORK"
    cluster.sh origin
    cluster.sh up $rates_nodes
    for round in 0 1 2 3; do
        for site in paris tokyo virginia; do
            batch $site $round $each >"$WORK/batch-$site-$round-$each"
            batch $site $round 333 >"$WORK/batch-$site-$round-333"
        done
    done
    before=$(applied_everywhere | head -n 1)
    : >"$WORK/codes"
    send $seconds $each
    start=$EPOCHREALTIME
    want=$((before + seconds * each * 3))
    until [ "$(applied_everywhere | head -n 1)" -ge "$want" ]; do
        lag=$(awk -v s="$start" -v n="$EPOCHREALTIME" 'BEGIN { print n - s }')
        awk "BEGIN { exit !($lag > 60) }" && break
    done
    lag=$(awk -v s="$start" -v n="$EPOCHREALTIME" 'BEGIN { print n - s }')
    check "all were published" \
        "$(grep -c '^200$' "$WORK/codes") == $((seconds * 3))" \
        "$(sort "$WORK/codes" | uniq -c | tr '\n' ' ')"
    check "as fast as that" "$(cat "$WORK/took") <= $seconds + 1" \
        "$((seconds * each * 3)) in $(cat "$WORK/took") s"
    check "the last node is not behind" "$lag < 1" "$lag s"
    send 10 333 &
    sleep 1
    acknowledged >"$WORK/acknowledged"
    wait $!
    check "acknowledged purges meanwhile" \
        "$(sed -n 9p "$WORK/acknowledged") <= 10" \
        "$(tr '\n' ' ' <"$WORK/acknowledged")ms"
    for site in $rates_nodes; do
        edge stop $site || failed=$((failed + 1))
    done
    for site in paris tokyo virginia; do
        cluster.sh redis-end $site
    done
    cluster.sh end origin
}
