# Sourced by the lab (-A): how long a purge takes that waits for all six nodes,
# from each site, with nothing else going on and with 1,000 invalidations a
# second meanwhile, against 1.2 times the longest round trip from there + 10 ms.

ack_samples=60

# ask NODE BODY [OPTION...]: POST /v1/purge, from the node's own namespace.
ask() {
    local ip
    ip=$(awk -v n="$1" '$1 == "place" && $2 == n { print $5 }' "$work/places")
    ip netns exec "$1" curl -s --max-time 20 -H 'Authorization: Bearer wan-lab-token' \
        "http://$ip:9080/v1/purge" --data-binary "$2" "${@:3}"
}

# As many a second in all, in small batches, a third of them at each site.
background() {
    local site pause next=$EPOCHREALTIME
    awk -v n=$(($1 / 30)) 'BEGIN { printf "{\"purges\":["
            for (i = 0; i < n; i++) printf "%s{\"kind\":\"tag\",\"tag\":\"t%d\"}",
                i ? "," : "", i
            print "]}" }' >"$work/batch"
    while [ -e "$work/go-on" ]; do
        for site in a b c; do
            ask ${site}2 "@$work/batch" -o /dev/null -w '%{http_code}\n' \
                >>"$work/batches" &
        done
        read -r next pause < <(awk -v n="$next" -v now="$EPOCHREALTIME" 'BEGIN {
            n = n + 0.1 > now ? n + 0.1 : now
            printf "%.6f %.6f\n", n, n - now }')
        sleep "$pause"
    done
    wait
}

# sample SITE: milliseconds, sorted; a purge that is not acknowledged is not
# among them.
sample() {
    local i
    for ((i = 0; i < ack_samples; i++)); do
        ask "${1}1" '{"kind":"url","url":"http://h/lease/'"$i"'","wait":"all",
            "deadline_ms":9000}' -o "$work/answer" -w '%{time_total}\n' \
            >"$work/time"
        ! grep -q '"acknowledged":true' "$work/answer" ||
            awk '{ printf "%.1f\n", $1 * 1000 }' "$work/time"
    done | sort -n
}

# acknowledged RATE: a line for each site.
acknowledged() {
    local site longest count within
    for site in a b c; do
        longest=$([ $site = a ] && echo 40 || echo 80)
        sample $site >"$work/sample"
        count=$(wc -l <"$work/sample")
        within=$(awk -v l="$longest" '$1 <= 1.2 * l + 10' "$work/sample" | wc -l)
        awk -v s=$site -v r="$1" -v l="$longest" -v w="$within" '
            { v[NR] = $1 }
            END { printf "from %s, %d a second meanwhile: median %.1f, " \
                "95%% %.1f, most %.1f ms; %d of %d within %d ms\n", s, r,
                v[int(NR / 2)], v[int(NR * 0.95)], v[NR], w, NR, 1.2 * l + 10 }' \
            "$work/sample"
        verdict "from $site, with $1 a second, 19 of 20 are in time" \
            "$([ "$count" = $ack_samples ] &&
                [ $((within * 20)) -ge $((ack_samples * 19)) ] && echo 1)"
    done
}

run_acknowledged() {
    local pid
    sleep 12 # the histories are as old as any lease (A4)
    acknowledged 0
    : >"$work/batches" >"$work/go-on"
    background 1000 &
    pid=$!
    acknowledged 1000
    rm "$work/go-on"
    wait $pid
    echo "batches meanwhile: $(sort "$work/batches" | uniq -c | tr '\n' ' ')"
}
