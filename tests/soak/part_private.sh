# 1,000 requests at the same moment for what is private: each gets its own
# answer, within twice the time of going direct.

# What a proxy can do on these cores: nginx as a plain one, a worker a core,
# connections to the origin kept, nothing cached, nothing logged, nobody waiting
# for anybody. It ends with this script at the latest.
start_plain()
{
    local user='' dir=$WORK/plain
    command -v nginx >/dev/null || return
    mkdir -p "$dir"
    [ "$(id -u)" != 0 ] || user='user root root;'
    cat >"$dir/nginx.conf" <<-END
	$user
	worker_processes auto;
	worker_rlimit_nofile 16384;
	pid $dir/pid;
	error_log $dir/error.log error;
	events { worker_connections 8192; multi_accept on; }
	http {
	    access_log off;
	    client_body_temp_path $dir/body;
	    proxy_temp_path $dir/proxy;
	    fastcgi_temp_path $dir/fastcgi;
	    uwsgi_temp_path $dir/uwsgi;
	    scgi_temp_path $dir/scgi;
	    tcp_nodelay on;
	    upstream web { server $IP:7000; keepalive 1024; }
	    server {
	        listen $IP:7800 backlog=4096 reuseport;
	        location / {
	            proxy_pass http://web;
	            proxy_http_version 1.1;
	            proxy_set_header Connection "";
	        }
	    }
	}
	END
    setpriv --pdeathsig TERM nginx -p "$dir" -c "$dir/nginx.conf" \
        -e "$dir/error.log" -g 'daemon off;' >"$dir/out" 2>&1 </dev/null &
    plain=$!
    for _ in {1..100}; do
        curl -so /dev/null "http://$IP:7800/" && return
        kill -0 "$plain" 2>/dev/null || break
        sleep 0.05
    done
    echo "nginx does not start: $(tail -n 2 "$dir/error.log")" >&2
    stop_plain
}

stop_plain()
{
    [ -z "$plain" ] || kill -TERM "$plain" 2>/dev/null
    [ -z "$plain" ] || wait "$plain" 2>/dev/null
    plain=
}

# one_round DELAY: a line: direct's maximum and median, then the edge's, then
# nginx's, if it is there. The URL is new to the edge each time.
one_round()
{
    local path="/_test/private?delay=$1&n=$RANDOM$RANDOM" at
    local served=(7000 8080)
    [ -z "$plain" ] || served+=(7800)
    for at in "${served[@]}"; do
        "$TOOLS/burst" -n 1000 "http://$IP:$at$path" >"$WORK/burst.$at"
        jq -e '.failed == 0 and .distinct == 1000 and
            .statuses == {"200": 1000}' "$WORK/burst.$at" >/dev/null ||
            echo "wrong: $(cat "$WORK/burst.$at")" >&2
    done
    jq -r '"\(.max_ms) \(.median_ms)"' "${served[@]/#/$WORK/burst.}" |
        tr '\n' ' '
    echo
}

# middle COLUMN: the median of a column.
middle() { sort -n -k"$1,$1" "$WORK/rounds" | awk -v c="$1" '{ v[NR] = $c }
    END { print v[int((NR + 1) / 2)] }'; }

part_private()
{
    local delay plain=
    begin "1,000 private requests at once"
    restart '{"memory": "64MiB", "workers": 0,
        "limits": {"max_connections": 5000}}'
    start_plain
    for delay in 0 100; do
        for _ in 1 2 3 4 5 6 7; do
            one_round $delay
        done >"$WORK/rounds" 2>"$WORK/wrong"
        check "delay $delay ms, each its own" \
            "$(grep -c . "$WORK/wrong") == 0" "$(head -c 300 "$WORK/wrong")"
        check "delay $delay ms, last answer" \
            "$(middle 3) <= 2 * $(middle 1)" "direct $(middle 1) ms," \
            "edge $(middle 3) ms (medians of 7; medians of all" \
            "answers: $(middle 2) and $(middle 4) ms)"
        [ -z "$plain" ] ||
            echo "          for comparison, nginx as a plain proxy:" \
                "$(middle 5) ms (median of all answers: $(middle 6) ms)"
    done
    stop_plain
    finish_part
}
