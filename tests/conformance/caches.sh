# shellcheck shell=bash disable=SC2154
# Starting and ending the origin and the caches; read by run.
#
# A cache NAME has a function start_NAME, which starts it at $listen in front
# of $origin, with what it writes in $work.

fail() {
    echo "conformance: $*"
    echo "0 passed, 1 failed"
    kept=1
    exit 1
}

# spawn NAME COMMAND...: until we end it, or die.
spawn() {
    local name=$1
    shift
    setpriv --pdeathsig TERM "$@" >"$work/$name.out" 2>&1 </dev/null &
    pids+=($!)
}

# await ADDRESS:PORT: until it takes connections, for at most 30 s.
await() {
    local pid=${pids[-1]}
    for _ in $(seq 600); do
        (exec 3<>"/dev/tcp/${1%:*}/${1#*:}") 2>/dev/null && return
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.05
    done
    fail "nothing listens at $1: $(tail -n 5 "$work"/*.out)"
}

# Ends the cache; its exit code is the answer.
stop_cache() {
    local pid=${pids[-1]}
    unset 'pids[-1]'
    kill -TERM "$pid" 2>/dev/null
    wait "$pid"
}

stop() {
    trap '' INT TERM HUP
    local pid
    for pid in "${pids[@]}"; do
        kill -TERM "$pid" 2>/dev/null
    done
    wait
    [ -n "${kept:-}" ] || rm -rf "$work"
}

sanitizer_said() {
    grep -m 1 -hE 'Sanitizer|runtime error:|broken invariant' "$work"/atlas.* ||
        echo "see $work"
}

# fill TEMPLATE OUTPUT: fills in the @NAMES@ of a file in peers/.
fill() {
    local user=
    [ "$(id -u)" = 0 ] && user="user root root;"
    sed -e "s|@USER@|$user|" -e "s|@DIR@|$work|g" \
        -e "s|@LISTEN@|$listen|g" -e "s|@ADDRESS@|$address|g" \
        -e "s|@PORT@|${listen#*:}|g" -e "s|@ORIGIN@|$origin|g" \
        -e "s|@ORIGIN_PORT@|${origin#*:}|g" "$here/peers/$1" >"$work/$2"
}

# The published profile, but for where it listens and what it is in front of.
start_atlas() {
    local edge=build/$build/atlas-edge
    [ -x "$edge" ] || fail "$edge is missing; run \"make V=$build $edge\""
    export ASAN_OPTIONS="exitcode=66 detect_leaks=1"
    export UBSAN_OPTIONS="halt_on_error=1 exitcode=66 print_stacktrace=1"
    export TSAN_OPTIONS="exitcode=66"
    jq -n --arg profile "$PWD/conf/standards.json" --arg listen "$listen" \
        --arg origin "http://$origin" '{
            include: [$profile], listen: [$listen], admin: {listen: ""},
            access_log: "", origins: {web: {servers: [$origin]}}
        }' >"$work/atlas.json"
    spawn atlas "$edge" -c "$work/atlas.json"
}

start_nginx() {
    fill nginx.conf nginx.conf
    spawn nginx nginx -p "$work" -c "$work/nginx.conf" -g 'daemon off;'
}

# Nothing is fresh by default, and what is stale is kept for validation.
start_varnish() {
    fill varnish.vcl varnish.vcl
    spawn varnish varnishd -F -j none -n "$work/varnish" \
        -f "$work/varnish.vcl" -a "$listen" -s malloc,64m \
        -p default_ttl=0 -p default_grace=0 -p default_keep=3600
}

start_squid() {
    fill squid.conf squid.conf
    spawn squid squid -N -d 1 -f "$work/squid.conf"
}

start_trafficserver() {
    local dir
    mkdir -p "$work"/{config,log,run,cache}
    for dir in prefix:/usr exec_prefix:/usr bindir:/usr/bin sbindir:/usr/sbin \
        libdir:/usr/lib/trafficserver includedir:/usr/include \
        libexecdir:/usr/lib/trafficserver/modules datadir:/usr/share \
        sysconfdir:"$work/config" localstatedir:"$work/run" \
        runtimedir:"$work/run" logdir:"$work/log" cachedir:"$work/cache"; do
        echo "${dir%%:*}: ${dir#*:}"
    done >"$work/runroot.yaml"
    fill trafficserver.config config/records.config
    echo "map / http://$origin/" >"$work/config/remap.config"
    echo "$work/cache 64M" >"$work/config/storage.config"
    echo "ip_allow: [{apply: in, ip_addrs: 0/0, action: allow, methods: ALL}]" \
        >"$work/config/ip_allow.yaml"
    # It does not stay root.
    [ "$(id -u)" != 0 ] || { chmod 755 "$work" && chown -R trafficserver "$work"; }
    TS_RUNROOT=$work spawn trafficserver traffic_server
}
