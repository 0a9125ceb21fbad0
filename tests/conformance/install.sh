# shellcheck shell=bash disable=SC2154
# Installs the suite and what it needs, each by its exact version and hash
# (suite.sha512), without running anything of theirs; read by run.

# skip WHY: the suite cannot be had.
skip() {
    if [ "${CONFORMANCE:-}" = required ]; then
        echo "conformance: $1"
        echo "0 passed, 1 failed"
        exit 1
    fi
    echo "conformance: skipped: $1"
    exit 77
}

fetch_packages() { # DIR
    local names
    names=$(sed 's/.*  //; s/-\([0-9.]*\)\.tgz$/@\1/' "$here/suite.sha512")
    # shellcheck disable=SC2086 # one argument a name
    (cd "$1" && timeout 120 npm pack --silent --fetch-retries=1 $names) \
        >"$1/npm.log" 2>&1
}

unpack_packages() { # DIR
    local package name
    for package in "$1"/*.tgz; do
        name=$(basename "$package" | sed 's/-[0-9.]*\.tgz$//')
        mkdir -p "$1/node_modules/$name"
        tar -xzf "$package" -C "$1/node_modules/$name" --strip-components=1
    done
}

# Does nothing when the right versions are there already.
install_suite() {
    command -v node >/dev/null || skip "there is no node (make deps)"
    mkdir -p "$out"
    exec 8>"$out/lock"
    flock 8
    if ! cmp -s "$here/suite.sha512" "$out/node_modules/suite.sha512"; then
        command -v npm >/dev/null || skip "there is no npm (make deps)"
        local new=$out/new
        rm -rf "$new" && mkdir "$new"
        fetch_packages "$new" ||
            skip "npm cannot fetch the suite ($(tail -n 1 "$new/npm.log"))"
        (cd "$new" && sha512sum --quiet --strict -c "$here/suite.sha512") || {
            echo "conformance: npm gave other packages than suite.sha512 says"
            echo "0 passed, 1 failed"
            exit 1
        }
        unpack_packages "$new"
        cp "$here/suite.sha512" "$new/node_modules/"
        rm -rf "$out/node_modules"
        mv "$new/node_modules" "$out/"
        rm -rf "$new"
    fi
    exec 8>&-
}
