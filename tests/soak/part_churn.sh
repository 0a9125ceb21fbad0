# A store that evicts all the time: far more than the budget goes through it,
# of all sizes, while purges drop what is there. The process stays small, and
# every answer is the right one.

# churner N SECONDS: objects of many sizes, one client; checks each body.
churner()
{
    local end=$((SECONDS + $2)) n=0 len seed
    : >"$WORK/churner.$1"
    while ((SECONDS < end)); do
        # Zipf-like: low numbers come back often.
        seed=$((RANDOM * RANDOM / 32768 * RANDOM / 32768 / 4 + 1))
        len=$((seed * 7919 % 2000003 + 1))
        "$TOOLS/slowclient" --pattern $seed \
            "$url/_test/bytes/$len?version=$seed&cc=max-age=600&tags=t$((seed % 10))" \
            >>"$WORK/churner.$1" || n=$((n + 1))
    done
    echo $n >"$WORK/wrong.$1"
}

purge()
{
    curl -sS -o /dev/null -X POST -H "Authorization: Bearer scenario-token" \
        -H "Content-Type: application/json" -d "$1" "http://$IP:9080/v1/purge"
}

part_churn()
{
    local i end pids=() wrong rss=0 now seconds=40 over=0 used
    begin "churn: far more than the budget, with purges"
    restart '{"memory": "32MiB", "workers": 4}'
    for i in 1 2 3 4 5 6; do
        churner $i $seconds &
        pids+=($!)
    done
    # Small ones too, by the thousand.
    (
        end=$((SECONDS + seconds))
        i=0
        while ((SECONDS < end)); do
            curl -s -o /dev/null --parallel --parallel-max 20 \
                "$url/_test/bytes/1000?cc=max-age=60&k=[$i-$((i + 999))]" 2>/dev/null
            i=$((i + 1000))
        done
    ) &
    pids+=($!)
    end=$((SECONDS + seconds))
    while ((SECONDS < end)); do
        purge "{\"kind\": \"tag\", \"tag\": \"t$((RANDOM % 10))\"}"
        purge "{\"kind\": \"prefix\", \"url\": \"$url/_test/bytes/1000\"}"
        now=$(kb VmRSS)
        ((now > rss)) && rss=$now
        used=$(metric atlas_store_bytes)
        ((used > 32 * MIB)) && over=$((over + 1))
        sleep 0.2
    done
    wait "${pids[@]}"
    wrong=$(cat "$WORK"/wrong.* | awk '{ s += $1 } END { print s }')
    cat "$WORK"/churner.* >"$WORK/churned"
    check "right answers" "$wrong == 0" \
        "$(jq -s length "$WORK/churned") checked," \
        "$(jq -s 'map(.bytes) | add / 1048576 | round' "$WORK/churned") MiB" \
        "$(jq -c 'select(.error != "")' "$WORK/churned" | head -3)"
    check "churned" "$(metric atlas_store_evicted_total) > 1000 && \
        $(metric atlas_store_purged_total) > 100" \
        "$(metric atlas_store_inserted_total) stored," \
        "$(metric atlas_store_evicted_total) evicted," \
        "$(metric atlas_store_purged_total) purged," \
        "$(metric atlas_store_refused_total) refused," \
        "$(curl -sS "http://$IP:9080/metrics" |
            awk '/result="hit"/ { print $2; exit }') hits"
    check "the budget" "$over == 0" "exceeded in $over samples"
    check "VmRSS" "$rss < (64 + 32) * 1024 || \"$sanitized\" == \"yes\"" \
        "at most $rss KiB, budget 32 MiB"
    finish_part
}
