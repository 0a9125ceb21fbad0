/*
 * Every counter of the program: what the metrics page shows is written here
 * and nowhere else. To add one, add a row; rows of one metric stand together.
 */
#ifndef BASE_COUNTER_TABLE_H
#define BASE_COUNTER_TABLE_H

/* clang-format off */
#define COUNTER_TABLE(C)                                                       \
C(REQ_HIT, "atlas_requests_total", "result=\"hit\"", "Client requests, by how they were answered.") \
C(REQ_HIT_STALE, "atlas_requests_total", "result=\"stale\"", "")               \
C(REQ_REVALIDATED, "atlas_requests_total", "result=\"revalidated\"", "")       \
C(REQ_MISS, "atlas_requests_total", "result=\"miss\"", "")                     \
C(REQ_JOIN, "atlas_requests_total", "result=\"collapsed\"", "")                \
C(REQ_PEER, "atlas_requests_total", "result=\"peer\"", "")                     \
C(REQ_PASS, "atlas_requests_total", "result=\"pass\"", "")                     \
C(REQ_ERROR, "atlas_requests_total", "result=\"error\"", "")                   \
C(REQ_OWN, "atlas_requests_total", "result=\"own\"", "")                       \
C(REFRESH_DEFERRED, "atlas_refreshes_deferred_total", "", "Copies served while their revalidation waits for its turn (revalidate_rate).") \
C(PEER_SERVED_HIT, "atlas_peer_served_total", "result=\"hit\"", "Requests from other nodes, by what they got.") \
C(PEER_SERVED_MISS, "atlas_peer_served_total", "result=\"miss\"", "")          \
C(PEER_REFUSED, "atlas_peer_served_total", "result=\"refused\"", "")           \
C(PEER_ASKED_HIT, "atlas_peer_asked_total", "result=\"hit\"", "Requests to other nodes, by what they gave.") \
C(PEER_ASKED_MISS, "atlas_peer_asked_total", "result=\"miss\"", "")            \
C(PEER_ASKED_ERROR, "atlas_peer_asked_total", "result=\"error\"", "")          \
C(ORIGIN_OK, "atlas_origin_requests_total", "result=\"ok\"", "Requests to origins, by how they ended.") \
C(ORIGIN_ERROR, "atlas_origin_requests_total", "result=\"error\"", "")         \
C(ORIGIN_REFUSED, "atlas_origin_requests_total", "result=\"refused\"", "")     \
C(CLIENT_BYTES_OUT, "atlas_client_sent_bytes_total", "", "Body bytes sent to clients.") \
C(CLIENT_BYTES_IN, "atlas_client_received_bytes_total", "", "Body bytes received from clients.") \
C(ORIGIN_BYTES_IN, "atlas_origin_received_bytes_total", "", "Body bytes received from origins.") \
C(CONNECTIONS, "atlas_connections_total", "", "Client connections accepted.")  \
C(CONNECTIONS_SHED, "atlas_connections_shed_total", "", "Client connections closed at once, by the limit.") \
C(CONNECTIONS_CLOSED, "atlas_connections_closed_total", "", "Client connections that ended.") \
C(REQUESTS_BAD, "atlas_requests_malformed_total", "", "Requests refused as malformed (400).") \
C(STORE_INSERT, "atlas_store_inserted_total", "", "Objects stored.")           \
C(STORE_EVICT, "atlas_store_evicted_total", "", "Objects evicted for room.")   \
C(STORE_PURGE, "atlas_store_purged_total", "", "Objects dropped because an invalidation matched.") \
C(STORE_REFUSE, "atlas_store_refused_total", "", "Objects not stored because they are too large.") \
C(DISK_HIT, "atlas_disk_lookups_total", "result=\"hit\"", "Looks at the disk tier, by what was found.") \
C(DISK_MISS, "atlas_disk_lookups_total", "result=\"miss\"", "")               \
C(DISK_INVALID, "atlas_disk_lookups_total", "result=\"invalid\"", "")         \
C(DISK_ERROR, "atlas_disk_lookups_total", "result=\"error\"", "")             \
C(DISK_WRITTEN, "atlas_disk_objects_total", "result=\"written\"", "Objects for the disk tier, by what became of them.") \
C(DISK_SKIPPED, "atlas_disk_objects_total", "result=\"outdated\"", "")        \
C(DISK_LATE, "atlas_disk_objects_total", "result=\"no-time\"", "")            \
C(DISK_FAILED, "atlas_disk_objects_total", "result=\"failed\"", "")           \
C(INVAL_APPLIED, "atlas_invalidations_applied_total", "", "Invalidations applied, of every site.") \
C(INVAL_PUBLISHED, "atlas_invalidations_published_total", "", "Invalidations published here.") \
C(INVAL_AGAIN, "atlas_invalidations_again_total", "", "Invalidations that a stream's history lacked after a failover or a restart, published again.") \
C(INVAL_FAILED, "atlas_invalidations_failed_total", "", "Invalidations that could not be published.") \
C(FLOOR_HOLE, "atlas_floor_raised_total", "reason=\"hole\"", "Times everything stored had to be revalidated, by reason.") \
C(FLOOR_TERM, "atlas_floor_raised_total", "reason=\"term\"", "")               \
C(FLOOR_REWIND, "atlas_floor_raised_total", "reason=\"rewind\"", "")           \
C(FLOOR_OVERFLOW, "atlas_floor_raised_total", "reason=\"overflow\"", "")       \
C(FLOOR_FOREIGN, "atlas_floor_raised_total", "reason=\"foreign\"", "")         \
C(FLOOR_LEVEL, "atlas_floor_raised_total", "reason=\"level\"", "")             \
C(REDIS_CONNECT, "atlas_redis_connects_total", "", "Connections made to Redis.") \
C(REDIS_ERROR, "atlas_redis_errors_total", "", "Errors and timeouts of Redis.") \
C(LOG_DROPPED, "atlas_access_log_dropped_total", "", "Access log lines dropped because the disk was too slow.") \
C(RELOADS, "atlas_reloads_total", "result=\"ok\"", "Configuration reloads.")   \
C(RELOADS_REFUSED, "atlas_reloads_total", "result=\"refused\"", "")            \
C(TIME_1MS, "atlas_request_seconds_bucket", "le=\"0.001\"", "")                \
C(TIME_10MS, "atlas_request_seconds_bucket", "le=\"0.01\"", "")                \
C(TIME_100MS, "atlas_request_seconds_bucket", "le=\"0.1\"", "")                \
C(TIME_1S, "atlas_request_seconds_bucket", "le=\"1\"", "")                     \
C(TIME_10S, "atlas_request_seconds_bucket", "le=\"10\"", "")                   \
C(TIME_INF, "atlas_request_seconds_bucket", "le=\"+Inf\"", "")                 \
C(TIME_SUM_US, "atlas_request_seconds_sum", "", "")
/* clang-format on */

#endif
