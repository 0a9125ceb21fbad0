# Varnish as a shared cache that follows what the origin says, as far as one
# usually goes in VCL: unsafe requests invalidate, any "*" in Vary counts, and
# cookies neither bypass the cache nor keep a response from being stored (as
# Atlas in this comparison). The built-in rules do the rest.
# @NAMES@ are filled in by tests/conformance/caches.sh.
vcl 4.1;

import std;

backend origin {
    .host = "@ADDRESS@";
    .port = "@ORIGIN_PORT@";
}

sub vcl_recv {
    if (req.method != "GET" && req.method != "HEAD") {
        return (pass);
    }
}

sub vcl_req_cookie {
    return;
}

sub vcl_beresp_cookie {
    return;
}

sub vcl_backend_response {
    std.collect(beresp.http.Vary);
    if (beresp.http.Vary ~ "\*") {
        set beresp.uncacheable = true;
        set beresp.ttl = 0s;
        return (deliver);
    }
}

sub vcl_deliver {
    if (req.method != "GET" && req.method != "HEAD" &&
        resp.status >= 200 && resp.status < 400) {
        std.ban("req.url == " + req.url);
        if (resp.http.Location) {
            std.ban("req.url == " + resp.http.Location);
        }
        if (resp.http.Content-Location) {
            std.ban("req.url == " + resp.http.Content-Location);
        }
    }
}
