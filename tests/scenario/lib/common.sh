# What `edge` and `origin` share: programs that outlive the `shell { }` that
# starts them. Of program NAME there is in $WORK: NAME.pid, NAME.rc (its exit
# code, once it has ended), NAME.out and NAME.err. Whatever is left running at
# the end, the runner ends by these.

fail()
{
    echo "$(basename "$0"): $*" >&2
    exit 1
}

# wait_for SECONDS COMMAND...: until the command succeeds.
wait_for()
{
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        ((SECONDS < end)) || return 1
        sleep 0.02
    done
}

ended() { [ -e "$WORK/$1.rc" ]; }
says() { grep -qsF -- "$2" "$WORK/$1.err" "$WORK/$1.out"; }
says_or_ended() { says "$1" "$2" || ended "$1"; }
signal() { kill "-$1" "$(cat "$WORK/$2.pid")"; }

# launch NAME READY COMMAND...: returns when it says READY.
launch()
{
    local name=$1 ready=$2
    shift 2
    rm -f "$WORK/$name".{rc,pid,told,out,err}
    # A shell of its own stays, to keep the exit code.
    setsid bash -c '
        base=$1
        shift
        "$@" >>"$base.out" 2>>"$base.err" </dev/null &
        echo $! >"$base.pid"
        wait $!
        rc=$?
        echo $rc >"$base.rc.new" && mv "$base.rc.new" "$base.rc"
    ' launch "$WORK/$name" "$@" >/dev/null 2>&1 </dev/null &
    wait_for 20 says_or_ended "$name" "$ready" ||
        fail "$name does not get ready"
    if ended "$name"; then
        cat "$WORK/$name.err" >&2
        fail "$name ended at once"
    fi
}

# terminate NAME: SIGTERM, once: a second one may come when it has let go of its
# handlers, on the way out.
terminate()
{
    [ -e "$WORK/$1.told" ] || signal TERM "$1"
    touch "$WORK/$1.told"
}

# finish NAME: fails unless it ends after SIGTERM, with 0, and no sanitizer had
# anything to say.
finish()
{
    local rc
    [ -e "$WORK/$1.pid" ] || fail "$1 was never started"
    ended "$1" || terminate "$1" || true
    wait_for 20 ended "$1" || fail "$1 does not end after SIGTERM"
    rc=$(cat "$WORK/$1.rc")
    if grep -E 'Sanitizer|runtime error:' "$WORK/$1.err" >&2; then
        fail "$1: see its standard error"
    fi
    [ "$rc" = 0 ] || fail "$1 ended with $rc: $(tail -n 3 "$WORK/$1.err")"
}
