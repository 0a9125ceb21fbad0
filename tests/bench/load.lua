-- What wrk runs. Arguments: "same", for the one path of the address it was
-- given, or a word that no earlier run was given, for a path of its own for
-- each request, below the one of the address.
-- At the end one line: requests, microseconds, answers other than 2xx or 3xx,
-- errors of sockets, and the 50th and 99th percentile of latency in us.

function init(args)
    if args[1] ~= "same" then
        local prefix = wrk.path .. args[1] .. "-"
        local count = 0
        function request()
            count = count + 1
            return wrk.format(nil, prefix .. count)
        end
    end
end

function done(summary, latency)
    local errors = summary.errors
    io.write(string.format("LOAD %d %d %d %d %d %d\n", summary.requests,
        summary.duration, errors.status,
        errors.connect + errors.read + errors.write + errors.timeout,
        latency:percentile(50), latency:percentile(99)))
end
