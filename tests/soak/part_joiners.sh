# One fill that is larger than the memory budget, with fast and slow readers on
# several workers: all get every byte; the fast ones are as fast as if they
# were alone, the slow ones that were left behind go on with ranges. Without a
# strong validator nobody is left behind: who is in it sets the pace.

# readers LEN QUERY: two fast ones, and at 8, 16 and 32 MiB/s.
readers()
{
    local target=$url/_test/bytes/$1?version=3\&delay=500\&$2 pids=() r
    rm -f "$WORK"/reader.*
    "$TOOLS/slowclient" -n 2 --pattern 3 "$target" >"$WORK/reader.fast" &
    pids+=($!)
    for r in 8 16 32; do
        "$TOOLS/slowclient" --rate $((r * MIB)) --pattern 3 "$target" \
            >"$WORK/reader.$r" &
        pids+=($!)
    done
    wait "${pids[@]}"
    cat "$WORK"/reader.* >"$WORK/readers"
}

part_joiners()
{
    local len=$((size / 4 * MIB)) query=cc=max-age=60 lone before ranged
    local options='{"memory": "16MiB", "workers": 4}' rate=$((200 * MIB))
    begin "a fill of $((size / 4)) MiB with fast and slow readers"
    query="$query&rate=$rate"
    restart "$options"
    "$TOOLS/slowclient" --pattern 3 \
        "$url/_test/bytes/$len?version=3&delay=500&$query" >"$WORK/lone"
    lone=$(high "$WORK/lone" seconds)

    restart "$options"
    before=$(asked)
    readers $len "$query"
    check "all bytes, with an ETag" "$(all_whole "$WORK/readers" $len) == 0" \
        "$(jq -c '[.bytes, .seconds, .error]' "$WORK/readers" | tr '\n' ' ')"
    check "the fast ones are not held back" \
        "$(high "$WORK/reader.fast" seconds) < 1.3 * $lone + 0.6" \
        "$(high "$WORK/reader.fast" seconds) s, alone $lone s"
    check "the slow ones keep their pace" \
        "$(rate "$WORK/reader.8") > 7.2 && $(rate "$WORK/reader.32") > 28" \
        "$(rate "$WORK/reader.8") of 8, $(rate "$WORK/reader.32") of 32 MiB/s"
    ranged=$(($(asked) - before))
    # Two fast ones may lose each other, too.
    check "the slow ones were left behind" "$ranged >= 2 && $ranged <= 5" \
        "$ranged requests to the origin"
    check "memory" "$(kb VmHWM) < (64 + 16) * 1024" "VmHWM $(kb VmHWM) KiB"

    restart "$options"
    before=$(asked)
    readers $((len / 4)) "$query&etag=none"
    check "all bytes, without a validator" \
        "$(all_whole "$WORK/readers" $((len / 4))) == 0" \
        "$(($(asked) - before)) requests to the origin," \
        "the fast ones took $(high "$WORK/reader.fast" seconds) s"

    # One that comes late, and whose beginning is gone, asks for itself.
    restart "$options"
    "$TOOLS/slowclient" --rate $((16 * MIB)) --pattern 3 \
        "$url/_test/bytes/$((len / 4))?version=3&$query" >"$WORK/early" &
    sleep 1
    "$TOOLS/slowclient" --pattern 3 \
        "$url/_test/bytes/$((len / 4))?version=3&$query" >"$WORK/late"
    wait $!
    cat "$WORK/early" >>"$WORK/late"
    check "one that joins late" "$(all_whole "$WORK/late" $((len / 4))) == 0" \
        "$(jq -c '[.bytes, .seconds, .error]' "$WORK/late" | tr '\n' ' ')"
    finish_part
}
