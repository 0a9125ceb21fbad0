# shellcheck shell=bash disable=SC2154,SC2034
# How each server is started and found; read by tests/bench/run.
#
# A server NAME has a function start_NAME, which starts it on the server's core
# and leaves its process in pid_of[NAME]; url_of[NAME] is where it listens, and
# pass_of[NAME], where it has one, is where it takes the misses.

declare -A pid_of url_of pass_of version_of
started=()

# Fills in the @NAMES@ of a file beside this one.
fill() { # TEMPLATE OUTPUT
    local user=
    [ "$(id -u)" = 0 ] && user="user root root;"
    sed -e "s|@USER@|$user|" -e "s|@DIR@|$scratch|g" \
        -e "s|@LISTEN@|$address:$((port + $3))|" \
        -e "s|@LISTEN_PASS@|$address:$((port + $3 + 1))|" \
        -e "s|@ADMIN@|$address:$((port + $3 + 1))|" \
        -e "s|@LOG@|$out/access.log|" \
        -e "s|@ORIGIN@|$address:$port|" -e "s|@ORIGIN_HOST@|$address|" \
        -e "s|@ORIGIN_PORT@|$port|" "$here/$1" >"$scratch/$2"
}

# Runs a program on a core until we end it, or die.
spawn() { # NAME CORE PROGRAM ARG...
    local name=$1 core=$2
    shift 2
    setpriv --pdeathsig TERM taskset -c "$core" "$@" \
        >"$scratch/$name.out" 2>&1 </dev/null &
    pid_of[$name]=$!
    started+=($!)
}

start_origin() {
    mkdir -p "$scratch/www/hit"
    # Not compressible, and the same for all.
    head -c 1024 /dev/urandom >"$scratch/www/hit/1k"
    fill origin.conf origin.conf 0
    spawn origin "$load_core" nginx -p "$scratch" -c "$scratch/origin.conf" \
        -g 'daemon off;'
    url_of[origin]=http://$address:$port
}

start_atlas() {
    fill atlas.json atlas.json 10
    spawn atlas "$server_core" "$build/atlas-edge" -c "$scratch/atlas.json"
    url_of[atlas]=http://$address:$((port + 10))
    pass_of[atlas]=${url_of[atlas]}
    version_of[atlas]=$("$build/atlas-edge" --version 2>&1 | head -n 1)
}

# Another Atlas, with a Redis: one that answers under a lease, and, in the same
# process, by `ap`.
start_lease() {
    mkdir -p "$scratch/www/lease" "$scratch/www/ap"
    cp -r "$scratch/www/hit" "$scratch/www/lease"
    cp -r "$scratch/www/hit" "$scratch/www/ap"
    spawn redis "$load_core" redis-server --bind "$address" \
        --port $((port + 52)) --save '' --dir "$scratch"
    fill lease.json lease.json 50
    sed -i "s|@REDIS@|$address:$((port + 52))|" "$scratch/lease.json"
    spawn lease "$server_core" "$build/atlas-edge" -c "$scratch/lease.json"
    url_of[lease]=http://$address:$((port + 50))/lease
    await lease "${url_of[lease]}/hit/1k"
    local tries
    for ((tries = 0; tries < 200; tries++)); do
        curl -si --max-time 5 "${url_of[lease]}/hit/1k" |
            grep -q '^Cache-Status: bench; hit' && return
        sleep 0.05
    done
    fail "no lease is held after 10 s"
}

start_ap() {
    pid_of[ap]=${pid_of[lease]}
    url_of[ap]=http://$address:$((port + 50))/ap
}

start_nginx() {
    fill nginx.conf nginx.conf 20
    spawn nginx "$server_core" nginx -p "$scratch" -c "$scratch/nginx.conf" \
        -g 'daemon off;'
    url_of[nginx]=http://$address:$((port + 20))
    pass_of[nginx]=http://$address:$((port + 21))
    version_of[nginx]=$(nginx -v 2>&1 | sed 's/.*: //')
}

# A thread for each connection, all in one pool since there is one core.
start_varnish() {
    fill varnish.vcl varnish.vcl 30
    spawn varnish "$server_core" varnishd -F -j none -n "$scratch/varnish" \
        -f "$scratch/varnish.vcl" -a "$address:$((port + 30))" \
        -s malloc,256m -p thread_pools=1 -p thread_pool_min=200 \
        -p thread_pool_max=5000 -p timeout_idle=3600
    url_of[varnish]=http://$address:$((port + 30))
    version_of[varnish]=$(varnishd -V 2>&1 | head -n 1 |
        sed 's/^varnishd (//; s/)$//')
}

# Answers what Atlas answered, byte for byte.
start_bare() {
    ${CC:-gcc} -std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror -O2 \
        -o "$out/bare" "$here/bare.c" ||
        fail "tests/bench/bare.c cannot be compiled"
    curl -si --max-time 5 "${url_of[atlas]}/hit/1k" >"$scratch/answer"
    spawn bare "$server_core" "$out/bare" "$address" $((port + 40)) \
        "$scratch/answer"
    url_of[bare]=http://$address:$((port + 40))
    version_of[bare]="tests/bench/bare.c"
}

# The process and all below it.
family() { # PID
    local child
    echo "$1"
    for child in $(cat /proc/"$1"/task/*/children 2>/dev/null); do
        family "$child"
    done
}

# Time on a CPU of all threads of a server, in ns; the clock is the kernel's
# own account, exact to a tick.
cpu_ns() { # NAME
    local sum=0 pid ns rest
    for pid in $(family "${pid_of[$1]}"); do
        while read -r ns rest; do
            sum=$((sum + ns))
        done < <(cat /proc/"$pid"/task/*/schedstat 2>/dev/null)
    done
    echo $sum
}

# Memory of a server in KiB; pages that processes share are counted once.
memory_kib() { # NAME
    local pid
    for pid in $(family "${pid_of[$1]}"); do
        cat /proc/"$pid"/smaps_rollup
    done 2>/dev/null | awk '/^Pss:/ { sum += $2 } END { print sum + 0 }'
}

await() { # NAME URL
    local tries
    for ((tries = 0; tries < 200; tries++)); do
        kill -0 "${pid_of[$1]}" 2>/dev/null || break
        curl -sf --max-time 2 -o /dev/null "$2" && return
        sleep 0.05
    done
    sed "s/^/$1: /" "$scratch/$1.out" | tail -n 20 >&2
    fail "$1 does not answer at $2; its last words are above"
}

# How often the origin was asked for what a cache should hold.
asked() {
    wc -l <"$scratch/asked.log"
}

# A server counts only when it answers 200, with the right body, by itself.
verify_hit() { # NAME
    local name=$1 status before i
    await "$name" "${url_of[$name]}/hit/1k"
    before=$(asked)
    for ((i = 0; i < 20; i++)); do
        status=$(curl -s --max-time 5 -o "$scratch/got" -w '%{http_code}' \
            "${url_of[$name]}/hit/1k")
        [ "$status" = 200 ] || fail "$name answers $status, not 200"
        cmp -s "$scratch/got" "$scratch/www/hit/1k" ||
            fail "$name answers with another body than the origin's"
    done
    [ "$(asked)" = "$before" ] || fail "$name does not answer from its cache"
}

stop_all() {
    local pid
    for pid in "${started[@]}"; do
        kill "$pid" 2>/dev/null
    done
    for pid in "${started[@]}"; do
        timeout 5 tail --pid="$pid" -f /dev/null || kill -KILL "$pid"
    done 2>/dev/null
    wait
}
