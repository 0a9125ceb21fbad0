# Samples in, a table or JSON out. A line of samples is
#   run WORKLOAD ROUND SERVER REQUESTS WALL_US CPU_NS P50_US P99_US
#   memory WORKLOAD SERVER KIB
# Variables: form ("table" or "json"), target ("name/peer/measure:ratio ..."),
# and for JSON head, its first members.
#
# Ratios are made inside each round, where noise from outside hits all alike,
# and over 1 where the first server of the workload is the better; the median
# and the extremes are shown.

$1 == "run" {
    key = $2 SUBSEP $4
    if (!(key in seen)) {
        seen[key] = 1
        order[++keys] = key
        if (!($2 in first))
            first[$2] = $4
    }
    if ($3 > rounds[$2])
        rounds[$2] = $3
    cpu[key, $3] = $7 / 1000 / $5
    rps[key, $3] = $5 * 1000000 / $6
    p50[key, $3] = $8
    p99[key, $3] = $9
}

$1 == "memory" { memory[$2 SUBSEP $3] = $4 }

# Median, low and high of values[1..n].
function spread(n,    i, j, v) {
    for (i = 2; i <= n; i++) {
        v = values[i]
        for (j = i - 1; j > 0 && values[j] > v; j--)
            values[j + 1] = values[j]
        values[j + 1] = v
    }
    low = values[1]
    high = values[n]
    median = (values[int((n + 1) / 2)] + values[int(n / 2) + 1]) / 2
}

function middle(of, key, name,    i) {
    for (i = 1; i <= rounds[name]; i++)
        values[i] = of[key, i]
    spread(rounds[name])
    return median
}

function row(name, peer, measure,    id) {
    id = name "/" peer "/" measure
    if (form == "json") {
        printf "%s\n    {\"name\": \"%s\", \"peer\": \"%s\", " \
               "\"measure\": \"%s\", \"ratio\": %.3f, \"low\": %.3f, " \
               "\"high\": %.3f%s}", comma, name, peer, measure, median, low,
            high, id in wanted ? sprintf(", \"target\": %s", wanted[id]) : ""
        comma = ","
        return
    }
    printf "%-10s %-8s %-10s %6.2f  %6.2f  %6.2f  %s\n", name, peer, measure,
        median, low, high, !(id in wanted) ? "" : \
        "target " wanted[id] (median >= wanted[id] ? ": reached" : ": SHORT")
}

function rows(name, peer,    i, a, p) {
    a = name SUBSEP first[name]
    p = name SUBSEP peer
    for (i = 1; i <= rounds[name]; i++)
        values[i] = cpu[p, i] / cpu[a, i]
    spread(rounds[name])
    row(name, peer, "cpu")
    for (i = 1; i <= rounds[name]; i++)
        values[i] = rps[a, i] / rps[p, i]
    spread(rounds[name])
    row(name, peer, "throughput")
    if ((a in memory) && (p in memory)) {
        values[1] = memory[p] / memory[a]
        spread(1)
        row(name, peer, "memory")
    }
}

function server(key,    parts, name) {
    split(key, parts, SUBSEP)
    name = parts[1]
    middle(cpu, key, name)
    if (form == "json") {
        printf "%s\n    {\"name\": \"%s\", \"server\": \"%s\", " \
               "\"cpu_us\": %.3f, \"cpu_us_low\": %.3f, " \
               "\"cpu_us_high\": %.3f", comma, name, parts[2], median, low, high
        printf ", \"requests_per_s\": %.0f", middle(rps, key, name)
        printf ", \"p50_us\": %.0f", middle(p50, key, name)
        printf ", \"p99_us\": %.0f", middle(p99, key, name)
        if (key in memory)
            printf ", \"memory_kib\": %d", memory[key]
        printf "}"
        comma = ","
        return
    }
    printf "%-10s %-8s %8.2f %14s", name, parts[2], median,
        sprintf("%.2f-%.2f", low, high)
    printf " %10.0f", middle(rps, key, name)
    printf " %8.0f", middle(p50, key, name)
    printf " %8.0f", middle(p99, key, name)
    printf " %10s\n", key in memory ? memory[key] : ""
}

END {
    count = split(target, list, " ")
    for (i = 1; i <= count; i++) {
        split(list[i], pair, ":")
        wanted[pair[1]] = pair[2]
    }
    if (form == "json")
        printf "{\n%s,\n  \"rows\": [", head
    else
        printf "%-10s %-8s %-10s %6s  %6s  %6s  (over 1: Atlas is better)\n",
            "what", "peer", "measure", "ratio", "low", "high"
    for (k = 1; k <= keys; k++) {
        split(order[k], parts, SUBSEP)
        if (parts[2] != first[parts[1]])
            rows(parts[1], parts[2])
    }
    comma = ""
    if (form == "json")
        printf "\n  ],\n  \"servers\": ["
    else
        printf "\n%-10s %-8s %8s %14s %10s %8s %8s %10s\n", "what", "server",
            "us CPU", "low-high", "requests/s", "p50 us", "p99 us", "KiB"
    for (k = 1; k <= keys; k++)
        server(order[k])
    if (form == "json")
        printf "\n  ]\n}\n"
}
