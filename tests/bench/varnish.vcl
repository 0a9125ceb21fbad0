# Varnish as a peer to compare with: its built-in rules and an origin.
# @NAMES@ are filled in by tests/bench/run.
vcl 4.1;

backend origin {
    .host = "@ORIGIN_HOST@";
    .port = "@ORIGIN_PORT@";
}
