# Large bodies each way, through one edge: they are right, and the edge stays
# under 64 MiB and its budget.

# download NAME QUERY RATE MEMORY_MIB
download()
{
    local len=$((size * MIB)) query=$2
    restart "{\"memory\": \"$4MiB\", \"workers\": 2}"
    "$TOOLS/slowclient" --pattern 7 --rate "$3" \
        "$url/_test/bytes/$len?version=7&$query" >"$WORK/out"
    check "$1" "$(all_whole "$WORK/out" $len) == 0 && \
        ($(kb VmHWM) < ($4 + 64) * 1024 || \"$sanitized\" == \"yes\")" \
        "$(rate "$WORK/out") MiB/s, VmHWM $(kb VmHWM) KiB, budget $4 MiB" \
        "$(jq -r .error "$WORK/out")"
}

# upload NAME RATE ARGUMENT...
upload()
{
    local len=$((size * MIB)) name=$1 rate=$2
    shift 2
    restart '{"memory": "64MiB", "workers": 2}'
    "$TOOLS/slowclient" --upload $len --rate "$rate" "$@" \
        "$url/_test/sink" >"$WORK/out"
    curl -sS "http://$IP:7000/_test/last" >/dev/null 2>&1
    check "$name" "$(jq '.whole and .status == 200 and .sent > 0 |
        if . then 0 else 1 end' "$WORK/out") == 0 && \
        ($(kb VmHWM) < (64 + 64) * 1024 || \"$sanitized\" == \"yes\")" \
        "$(jq -r '.sent / .seconds / 1048576 | round' "$WORK/out") MiB/s," \
        "VmHWM $(kb VmHWM) KiB, budget 64 MiB"
}

part_bodies()
{
    local slow=$((20 * MIB))
    begin "bodies of $size MiB each way"
    download "down, max-age" "cc=max-age=60" 0 64
    download "down, max-age, chunked" "cc=max-age=60&chunked=1" 0 64
    download "down, no-store" "cc=no-store" 0 64
    download "down, no-store, chunked" "cc=no-store&chunked=1" 0 64
    download "down, max-age, 20 MiB/s" "cc=max-age=60" $slow 64
    download "down, no-store chunked, 20 MiB/s" "cc=no-store&chunked=1" $slow 64
    download "down, stored whole" "cc=max-age=60" 0 $((size * 9))
    upload "up, length" 0
    upload "up, chunked" 0 --chunked
    upload "up, 20 MiB/s" $slow
    finish_part
}
