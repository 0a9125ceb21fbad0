# What the parts of the soak test share: an edge and an origin started by the
# commands of tests/scenario/lib, and checks that print what they measured.

MIB=$((1024 * 1024))
url=http://$IP:8080

# check NAME EXPRESSION DETAIL...: EXPRESSION is awk's; a line of the result.
passed=0 failed=0
check()
{
    local name=$1 condition=$2
    shift 2
    if awk "BEGIN { exit !($condition) }"; then
        passed=$((passed + 1))
        echo "  ok      $name: $*"
    else
        failed=$((failed + 1))
        echo "  FAILED  $name: $* (wanted $condition)"
    fi
}

# kb FIELD: of the edge's /proc/PID/status, in KiB (VmHWM, VmRSS).
kb() { awk "/^$1:/ { print \$2 }" "/proc/$(cat "$WORK/e1.pid")/status"; }
fds() { ls "/proc/$(cat "$WORK/e1.pid")/fd" | wc -l; }
# metric NAME: the sum over its labels.
metric()
{
    curl -sS "http://$IP:9080/metrics" |
        awk -v n="$1" '{ sub(/\{[^}]*\}/, "", $1) } $1 == n { s += $2 }
            END { printf "%.0f\n", s }'
}
# How many requests the origin has seen.
asked() { origin stats | jq .listeners.web.requests; }

begin()
{
    echo "$1"
    rm -rf "$WORK"
    mkdir -p "$WORK"
    origin start
}
# restart JSON: an edge of its own, so that VmHWM is of what follows.
restart()
{
    edge stop 2>/dev/null
    edge start "$1" || exit 2
}
finish_part()
{
    edge stop || failed=$((failed + 1))
    origin stop || failed=$((failed + 1))
}

# mean FILE FIELD, low, high: over the lines of slowclient.
mean() { jq -s "map(.$2) | add / length * 1000 | round / 1000" "$1"; }
high() { jq -s "map(.$2) | max" "$1"; }
# rate FILE: MiB/s of the slowest client in it.
rate()
{
    jq -s "map(.bytes / .seconds / $MIB) | min * 10 | round / 10" "$1"
}
all_whole()
{
    jq -es --argjson len "$2" \
        'all(.[]; .whole and .error == "" and .bytes == $len)' "$1" >/dev/null
    echo $?
}
