#!/bin/bash
# cluster.sh: sites with a Redis each and edges, for scenarios. Nodes are
# called SITE-1 or SITE-2, sites paris, tokyo and virginia; their numbers K are
# 1 to 6 in that order. All is on this scenario's address, IP: clients at 810K,
# admin at 910K, Redis at 6381 to 6383, relays before nodes at 820K.
#
#   cluster.sh sites SITE...      which sites there are (up does it, too)
#   cluster.sh up NODE...         the Redis of their sites and the nodes; waits
#                                 until each is in sync and knows the others
#   cluster.sh redis SITE         start its Redis (again: empty)
#   cluster.sh redis-end SITE     and end it
#   cluster.sh redis-cli SITE ... a command for it
#   cluster.sh start NODE [JSON]  one node; JSON goes over its configuration
#   cluster.sh reload NODE JSON   another configuration for it
#   cluster.sh relay NODE MS      a relay before the node; MS each way. Start it
#                                 first: the node then advertises it
#   cluster.sh line NODE COMMAND...  one for the relay before it: delay MS, cut,
#                                 hold, heal
#   cluster.sh signal NAME SIG    to a node, or to what spawn started
#   cluster.sh synced NODE...     waits as up does
#   cluster.sh caught-up NODE...  waits until each has read every stream to its
#                                 present end
#   cluster.sh knows NODE URL HOLDER   waits until NODE would ask HOLDER for it
#   cluster.sh nearest NODE URL HOLDER...   waits until it would ask them, in
#                                 this order
#   cluster.sh spawn NAME ...     runs a program in the background; what it
#                                 prints goes to $WORK/NAME.out
#   cluster.sh end NAME           ends it
#   cluster.sh get NODE TARGET [OPTION...]   curl; prints head and body
#   cluster.sh admin NODE PATH [OPTION...]   curl, with the token
#   cluster.sh purge NODE JSON    POST /v1/purge; prints status and body
#   cluster.sh value NODE METRIC  one number of /metrics, by its whole name
#   cluster.sh wait COMMAND...    until it succeeds, for at most 15 s
#   cluster.sh origin [OPTION...] atlas-origin at 7000, control at 7009, with
#                                 /_test and the folder $WORK/www
#   cluster.sh asked TARGET       how often the origin was asked for this path
set -eu
shopt -s inherit_errexit

fail()
{
    echo "cluster.sh: $*" >&2
    exit 1
}

number_of()
{
    local base
    case $1 in
    paris-*) base=0 ;;
    tokyo-*) base=2 ;;
    virginia-*) base=4 ;;
    *) fail "no such node: $1" ;;
    esac
    echo $((base + ${1##*-}))
}

redis_port()
{
    case $1 in
    paris) echo 6381 ;;
    tokyo) echo 6382 ;;
    virginia) echo 6383 ;;
    *) fail "no such site: $1" ;;
    esac
}

wait_for()
{
    local end=$((SECONDS + 15))
    until "$@" >/dev/null 2>&1; do
        ((SECONDS < end)) || return 1
        sleep 0.02
    done
}

# ---- programs in the background ----

# The pid file names a shell that ends the program, however it stands, when it
# is told to end itself: that is how the runner cleans up. A program that ends
# by itself has failed.
spawn()
{
    local name=$1
    shift
    rm -f "$WORK/$name".{real,rc}
    setsid bash -c '
        name=$1
        shift
        trap "kill -KILL \$child; echo 0 >\$name.rc.new; mv \$name.rc.new \$name.rc; exit" TERM
        "$@" >"$name.out" 2>"$name.err" </dev/null &
        child=$!
        echo $child >"$name.real.new"
        mv "$name.real.new" "$name.real"
        wait
        echo 1 >"$name.rc.new"
        mv "$name.rc.new" "$name.rc"
    ' spawn "$WORK/$name" "$@" >/dev/null 2>&1 </dev/null &
    echo $! >"$WORK/$name.pid"
    wait_for test -e "$WORK/$name.real"
}

# Without its pid file there is nothing left to end.
end_spawned()
{
    local pid
    pid=$(cat "$WORK/$1.real")
    kill -TERM "$(cat "$WORK/$1.pid")"
    rm -f "$WORK/$1.pid"
    wait_for eval "! kill -0 $pid" || fail "$1 does not end"
}

signal()
{
    if [ -e "$WORK/$1.real" ]; then
        kill "-$2" "$(cat "$WORK/$1.real")"
    else
        kill "-$2" "$(cat "$WORK/$1.pid")"
    fi
}

# ---- Redis ----

cli()
{
    local site=$1
    shift
    timeout 5 redis-cli -h "$IP" -p "$(redis_port "$site")" "$@"
}

redis()
{
    command -v redis-server >/dev/null || {
        echo "skipping: redis-server is missing" >&2
        exit 77
    }
    mkdir -p "$WORK/redis-$1.d"
    spawn "redis-$1" redis-server --bind "$IP" --port "$(redis_port "$1")" \
        --dir "$WORK/redis-$1.d" --save '' --appendonly no \
        --maxmemory-policy noeviction --daemonize no
    wait_for cli "$1" PING || fail "the Redis of $1 does not start"
}

# ---- nodes ----

sites() { printf '%s\n' "$@" | sort -u >"$WORK/sites"; }

config()
{
    local node=$1 number advertise
    number=$(number_of "$node")
    advertise=$IP:810$number
    [ ! -e "$WORK/relay-$node.pid" ] || advertise=$IP:820$number
    jq -n --arg ip "$IP" --arg site "${node%-*}" --arg number "$number" \
        --arg advertise "$advertise" --rawfile names "$WORK/sites" \
        --argjson over "${2:-{\}}" '
        {paris: 6381, tokyo: 6382, virginia: 6383} as $ports |
        {
          site: $site, listen: ["\($ip):810\($number)"],
          advertise: $advertise,
          admin: {listen: "\($ip):910\($number)"},
          secret: "scenario-secret-of-all-nodes",
          sites: [$names | rtrimstr("\n") | split("\n")[] |
            {name: ., redis: "\($ip):\($ports[.])"}],
          redis: {timeout: "500ms", poll: "200ms", backoff_max: "200ms"},
          peers: {probe_interval: "100ms", digest_interval: "100ms"},
          routes: [
            {name: "cp", match: {path: "/cp/*"}, origin: "web",
             consistency: "cp", purge: true},
            {name: "lease", match: {path: "/lease/*"}, origin: "web",
             consistency: "lease", purge: true},
            {name: "bounded", match: {path: "/bounded/*"}, origin: "web",
             consistency: "bounded", max_staleness: "2s"},
            {name: "session", match: {path: "/session/*"}, origin: "web",
             consistency: "session", purge: true},
            {name: "tighten", match: {path: "/tighten/*"}, origin: "web",
             tighten: true},
            {name: "closed", match: {path: "/closed/*"}, origin: "web"},
            {name: "all", origin: "web", purge: true}
          ]
        } * $over'
}

start() { edge start "$1" "$(config "$@")"; }

reload() { edge reload "$1" "$(config "$@")"; }

address() { echo "http://$IP:810$(number_of "$1")"; }

admin()
{
    local node=$1 path=$2
    shift 2
    curl -s --max-time 10 -H 'Authorization: Bearer scenario-token' "$@" \
        "http://$IP:910$(number_of "$node")$path"
}

get()
{
    local node=$1 target=$2
    shift 2
    curl -si --max-time 20 "$@" "$(address "$node")$target" | tr -d '\r'
}

value() { admin "$1" /metrics | awk -v n="$2" '$1 == n { print $2 }'; }

in_sync()
{
    local node=$1 others=$2
    admin "$node" /health/sync -f &&
        [ "$(admin "$node" /metrics | grep -c '^atlas_peer_up{.*} 1')" = \
            "$others" ]
}

synced()
{
    local node
    for node in "$@"; do
        wait_for in_sync "$node" $(($# - 1)) ||
            fail "$node is not in sync with the others"
    done
}

# The last id in a site's stream, by Redis itself, is what the node has applied.
at_end()
{
    local last
    last=$(cli "$2" XREVRANGE "{atlas:$2}:log" + - COUNT 1 | sed -n 1p)
    [ "$(value "$1" "atlas_stream_position{site=\"$2\"}")" = "${last%-*}" ]
}

caught_up()
{
    local node site
    for node in "$@"; do
        for site in $(cat "$WORK/sites"); do
            [ -n "$(cli "$site" KEYS "{atlas:$site}:log")" ] || continue
            wait_for at_end "$node" "$site" ||
                fail "$node does not read the stream of $site"
        done
    done
}

would_ask()
{
    admin "$1" /v1/explain -G --data-urlencode "url=$2" |
        jq -r '.. | objects | .peers? // empty | .[].node'
}

would_ask_one() { would_ask "$1" "$2" | grep -x "$3"; }

would_ask_all()
{
    local node=$1 url=$2
    shift 2
    [ "$(would_ask "$node" "$url" | xargs)" = "$*" ]
}

nearest()
{
    wait_for would_ask_all "$@" ||
        fail "$1 would ask: $(would_ask "$1" "$2" | xargs)"
}

knows()
{
    wait_for would_ask_one "$@" || fail "$1 does not know that $3 holds $2"
}

up()
{
    local name
    sites "${@%-*}"
    for name in $(cat "$WORK/sites"); do
        redis "$name"
    done
    for name in "$@"; do
        start "$name"
    done
    synced "$@"
}

relay()
{
    local number
    number=$(number_of "$1")
    spawn "relay-$1" "$TOOLS/relay" --listen "$IP:820$number" \
        --to "$IP:810$number" --delay "$2" --control "$IP:830$number"
    wait_for grep -q '^control' "$WORK/relay-$1.out"
}

line()
{
    local answer
    exec 8<>"/dev/tcp/$IP/830$(number_of "$1")"
    shift
    echo "$*" >&8
    read -r -t 5 answer <&8
    [ "$answer" = ok ] || fail "the relay says: $answer"
}

# ---- the origin ----

origin()
{
    mkdir -p "$WORK/www"
    spawn origin "$ORIGIN" --root "$WORK/www" --listen "main=$IP:7000" \
        --control "$IP:7009" --test-paths "$@"
    wait_for grep -q '^ready' "$WORK/origin.out" || {
        cat "$WORK/origin.err" >&2
        fail "atlas-origin does not start"
    }
}

asked()
{
    curl -s --max-time 5 "http://$IP:7009/stats" |
        jq --arg path "$1" '.paths[$path] // 0'
}

command=${1:-}
shift || fail "which command?"
case $command in
spawn | signal | redis | sites | start | admin | get | value | up | synced | \
    relay | origin | asked | knows | reload | nearest | line) "$command" "$@" ;;
caught-up) caught_up "$@" ;;
redis-end) end_spawned "redis-$1" ;;
redis-cli) cli "$@" ;;
end) end_spawned "$1" ;;
purge) admin "$1" /v1/purge -w '\n%{http_code}\n' -d "$2" ;;
wait) wait_for "$@" || fail "in vain: $*" ;;
*) fail "no such command: $command" ;;
esac
