# Large bodies each way, through one edge: they are right, and the edge stays
# under 64 MiB and its budget.

# download NAME QUERY RATE MEMORY_MIB [OPTIONS]
download()
{
    local len=$((size * MIB)) query=$2
    restart "{${5:-} \"memory\": \"$4MiB\", \"workers\": 2}"
    "$TOOLS/slowclient" --pattern 7 --rate "$3" \
        "$url/_test/bytes/$len?version=7&$query" >"$WORK/out"
    check "$1" "$(all_whole "$WORK/out" $len) == 0 && \
        ($(kb VmHWM) < ($4 + 64) * 1024 || \"$sanitized\" == \"yes\")" \
        "$(rate "$WORK/out") MiB/s, VmHWM $(kb VmHWM) KiB, budget $4 MiB" \
        "$(jq -r .error "$WORK/out")"
}

# upload NAME RATE ARGUMENT...: the origin's answer holds a hash of what it got.
upload()
{
    local len=$((size * MIB)) name=$1 rate=$2
    shift 2
    restart '{"memory": "64MiB", "workers": 2}'
    "$TOOLS/slowclient" --upload $len --rate "$rate" "$@" \
        "$url/_test/sink" >"$WORK/out"
    check "$name" "\"$(jq -r 'select(.whole and .status == 200) | .xxh64' \
        "$WORK/out")\" == \"$sunk\" && \
        ($(kb VmHWM) < (64 + 64) * 1024 || \"$sanitized\" == \"yes\")" \
        "$(jq -r '.sent / .seconds / 1048576 | round' "$WORK/out") MiB/s," \
        "VmHWM $(kb VmHWM) KiB, budget 64 MiB"
}

part_bodies()
{
    local slow=$((20 * MIB)) sunk
    begin "bodies of $size MiB each way"
    download "down, max-age" "cc=max-age=60" 0 64
    download "down, max-age, chunked" "cc=max-age=60&chunked=1" 0 64
    download "down, no-store" "cc=no-store" 0 64
    download "down, no-store, chunked" "cc=no-store&chunked=1" 0 64
    download "down, max-age, 20 MiB/s" "cc=max-age=60" $slow 64
    download "down, no-store chunked, 20 MiB/s" "cc=no-store&chunked=1" $slow 64
    download "down, stored whole" "cc=max-age=60" 0 $((size * 9))
    # Room for all of it is refused at 48 MiB: then it slides.
    download "down, outgrows the budget" "cc=max-age=60&chunked=1" $slow 64 \
        '"max_object": "64MiB",'
    sunk=$("$TOOLS/slowclient" --upload $((size * MIB)) \
        "http://$IP:7000/_test/sink" | jq -r .xxh64)
    upload "up, length" 0
    upload "up, chunked" 0 --chunked
    upload "up, 20 MiB/s" $slow
    finish_part
}
