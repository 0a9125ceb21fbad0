#include "script_internal.h"

#include "base/check.h"

/* clang-format off */
/* Sets epoch, term, first, last, ms; see the header for what it refuses.
 * Nothing is written unless it has to be: a full Redis can still be read. */
#define PRELUDE \
    "local log, meta, push = KEYS[1], KEYS[2], KEYS[3]\n" \
    "local function fail(code, text)\n" \
    "  return redis.error_reply(code .. ' ' .. text)\n" \
    "end\n" \
    "local policy = string.match(redis.call('INFO', 'memory'),\n" \
    "  'maxmemory_policy:([%w%-]+)')\n" \
    "if policy and policy ~= 'noeviction' then\n" \
    "  return fail('ATLASPOLICY', 'maxmemory-policy is ' .. policy)\n" \
    "end\n" \
    "local run = string.match(redis.call('INFO', 'server'),\n" \
    "  'run_id:(%x+)')\n" \
    "local repl = string.match(redis.call('INFO', 'replication'),\n" \
    "  'master_replid:(%x+)')\n" \
    "if not run or not repl then\n" \
    "  return fail('ATLASINFO', 'INFO has no run_id or no master_replid')\n" \
    "end\n" \
    "local term = string.sub(redis.sha1hex(run .. repl), 1, 16)\n" \
    "local kind = redis.call('TYPE', log).ok\n" \
    "if kind ~= 'stream' and kind ~= 'none' then\n" \
    "  return fail('ATLASTYPE', log .. ' is a ' .. kind)\n" \
    "end\n" \
    "local hash = redis.call('TYPE', meta).ok\n" \
    "if hash ~= 'hash' and hash ~= 'none' then\n" \
    "  return fail('ATLASTYPE', meta .. ' is a ' .. hash)\n" \
    "end\n" \
    "local first, last = '0-0', '0-0'\n" \
    "if kind == 'stream' then\n" \
    "  local info = redis.call('XINFO', 'STREAM', log)\n" \
    "  for i = 1, #info, 2 do\n" \
    "    if info[i] == 'last-generated-id' then last = info[i + 1] end\n" \
    "    if info[i] == 'first-entry' and info[i + 1] then\n" \
    "      first = info[i + 1][1]\n" \
    "    end\n" \
    "  end\n" \
    "end\n" \
    "local epoch = redis.call('HGET', meta, 'epoch')\n" \
    "if epoch and not string.find(epoch, '^%x+$') or\n" \
    "   epoch and #epoch ~= 16 then\n" \
    "  return fail('ATLASTYPE', meta .. ' has an epoch that is not ours')\n" \
    "end\n" \
    "if not epoch then\n" \
    "  if last ~= '0-0' then\n" \
    "    return fail('ATLASMIXED', log .. ' has entries, ' .. meta ..\n" \
    "      ' has no epoch')\n" \
    "  end\n" \
    "  epoch = ARGV[1]\n" \
    "  redis.call('HSET', meta, 'epoch', epoch)\n" \
    "elseif last == '0-0' and redis.call('HEXISTS', meta, 'used') == 1 then\n" \
    "  epoch = ARGV[1]\n" \
    "  redis.call('HSET', meta, 'epoch', epoch)\n" \
    "  redis.call('HDEL', meta, 'used')\n" \
    "end\n"

/* Numbers in Lua are doubles: exact up to 15 digits, so no further. `used` is
 * what tells a stream that vanished from one that never was. A key of a caller
 * that was used in this term names what was published then. The stream is
 * cut to what the slowest holder of a row has not applied yet, within bounds:
 * whoever lags beyond them finds a hole, and raises its floor. */
#define PUBLISH \
    "local once = string.gsub(log, ':log$', ':once:') .. ARGV[2]\n" \
    "local each, keep_min, keep_max =\n" \
    "  tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])\n" \
    "if ARGV[2] ~= '' then\n" \
    "  local was = redis.call('GET', once)\n" \
    "  local e, t, a, b\n" \
    "  if was then\n" \
    "    e, t, a, b = string.match(was, '^(%x+) (%x+) (%d+) (%d+)$')\n" \
    "  end\n" \
    "  if e == epoch and t == term then return {epoch, term, a, b} end\n" \
    "end\n" \
    "local ms = string.match(last, '^(%d+)%-')\n" \
    "if #ms > 15 then\n" \
    "  return fail('ATLASFULL', log .. ' ends with the id ' .. last)\n" \
    "end\n" \
    "local n, from = tonumber(ms), nil\n" \
    "for at = 7, #ARGV, each do\n" \
    "  n = n + 1\n" \
    "  local id = string.format('%.0f', n)\n" \
    "  from = from or id\n" \
    "  redis.call('XADD', log, id .. '-0', unpack(ARGV, at, at + each - 1))\n" \
    "  local out = {'A1 ', epoch, ' ', term, ' ', id, '\\n'}\n" \
    "  for i = at, at + each - 1 do\n" \
    "    out[#out + 1] = #ARGV[i] .. ':' .. ARGV[i]\n" \
    "  end\n" \
    "  redis.call('PUBLISH', push, table.concat(out))\n" \
    "end\n" \
    "local to = string.format('%.0f', n)\n" \
    "if redis.call('HEXISTS', meta, 'used') == 0 then\n" \
    "  redis.call('HSET', meta, 'used', '1')\n" \
    "end\n" \
    "if ARGV[2] ~= '' then\n" \
    "  redis.call('SET', once, epoch .. ' ' .. term .. ' ' .. from .. ' ' ..\n" \
    "    to, 'EX', ARGV[3])\n" \
    "end\n" \
    "if math.floor(n / 256) ~= math.floor(tonumber(ms) / 256) then\n" \
    "  local all, slowest = redis.call('HGETALL', meta), n\n" \
    "  for i = 1, #all, 2 do\n" \
    "    if string.find(all[i], '^lease:') then\n" \
    "      local t, m = string.match(all[i + 1], '^%d+ (%x+) (%d+)$')\n" \
    "      slowest = math.min(slowest, t == term and tonumber(m) or 0)\n" \
    "    end\n" \
    "  end\n" \
    "  local keep = math.min(math.max(n - slowest, keep_min), keep_max)\n" \
    "  redis.call('XTRIM', log, 'MAXLEN', string.format('%.0f', keep))\n" \
    "end\n" \
    "return {epoch, term, from, to}\n"

/* A row is "BEAT TERM N": the beat tells that its node is there, term and n
 * what it has applied. The length of a lease is set once, beside the epoch. */
#define LEASE \
    "local length = redis.call('HGET', meta, 'lease')\n" \
    "if not length then\n" \
    "  length = ARGV[2]\n" \
    "  redis.call('HSET', meta, 'lease', length)\n" \
    "end\n"

#define RENEW LEASE \
    "local known = tonumber(redis.call('HGET', meta, 'generation') or 0)\n" \
    "if tonumber(ARGV[6]) < known then\n" \
    "  return fail('ATLASSITES', 'the list of sites has generation ' .. known)\n" \
    "elseif tonumber(ARGV[6]) > known then\n" \
    "  redis.call('HSET', meta, 'generation', ARGV[6])\n" \
    "end\n" \
    "local row = 'lease:' .. ARGV[3]\n" \
    "local old = redis.call('HGET', meta, row)\n" \
    "local beat = old and tonumber(string.match(old, '^(%d+) ')) or 0\n" \
    "redis.call('HSET', meta, row, string.format('%.0f',\n" \
    "  (beat + 1) % 1000000000) .. ' ' .. ARGV[4] .. ' ' .. ARGV[5])\n" \
    "return {epoch, term, first, last, length}\n"

/* Only of a row that is there: who was forgotten renews first. */
#define ACK \
    "local meta, acks = KEYS[2], string.gsub(KEYS[3], ':push$', ':acks')\n" \
    "local row = 'lease:' .. ARGV[2]\n" \
    "local old = redis.call('HGET', meta, row)\n" \
    "local beat = old and string.match(old, '^(%d+) ')\n" \
    "if not beat then return 0 end\n" \
    "redis.call('HSET', meta, row, beat .. ' ' .. ARGV[3] .. ' ' .. ARGV[4])\n" \
    "redis.call('PUBLISH', acks, 'A1 ' .. ARGV[3] .. ' ' .. ARGV[4] .. ' ' ..\n" \
    "  ARGV[2])\n" \
    "return 1\n"

#define WATCH LEASE \
    "local all, rows = redis.call('HGETALL', meta), {}\n" \
    "for i = 1, #all, 2 do\n" \
    "  local id = string.match(all[i], '^lease:(.+)$')\n" \
    "  local b, t, n = string.match(all[i + 1], '^(%d+) (%x+) (%d+)$')\n" \
    "  if id and b and #t == 16 then rows[#rows + 1] = {id, b, t, n} end\n" \
    "end\n" \
    "return {epoch, term, first, last, length, rows}\n"

/* By whoever has seen the row stand still for longer than any lease lasts. */
#define FORGET \
    "local row = 'lease:' .. ARGV[2]\n" \
    "local old = redis.call('HGET', KEYS[2], row)\n" \
    "if old and string.match(old, '^(%d+) ') == ARGV[3] then\n" \
    "  return redis.call('HDEL', KEYS[2], row)\n" \
    "end\n" \
    "return 0\n"

/* Replication keeps the order: who has this has what was written before. */
#define MARK \
    "redis.call('HINCRBY', meta, 'mark', 1)\n" \
    "return {epoch, term}\n"

#define SYNC \
    "local entries = {}\n" \
    "if tonumber(ARGV[3]) > 0 then\n" \
    "  entries = redis.call('XRANGE', log, ARGV[2], '+', 'COUNT', ARGV[3])\n" \
    "end\n" \
    "return {epoch, term, first, last, entries}\n"

/* The wall clock only takes out rows long dead, and guesses at the age of a
 * row never seen before; the beat is what counts. */
#define ANNOUNCE \
    "local meta, now = KEYS[2], redis.call('TIME')\n" \
    "local ms = now[1] * 1000 + math.floor(now[2] / 1000)\n" \
    "local own = 'node:' .. ARGV[2]\n" \
    "local old = redis.call('HGET', meta, own)\n" \
    "local beat = old and tonumber(string.match(old, '^(%d+) ')) or 0\n" \
    "redis.call('HSET', meta, own, string.format('%.0f %.0f ',\n" \
    "  (beat + 1) % 1000000000, ms) .. ARGV[3])\n" \
    "local all, rows = redis.call('HGETALL', meta), {}\n" \
    "for i = 1, #all, 2 do\n" \
    "  local id = string.match(all[i], '^node:(.+)$')\n" \
    "  local n, at, text = string.match(all[i + 1], '^(%d+) (%d+) (.*)$')\n" \
    "  if id and n then\n" \
    "    local age = math.max(ms - tonumber(at), 0)\n" \
    "    if age > 10 * tonumber(ARGV[4]) then\n" \
    "      redis.call('HDEL', meta, all[i])\n" \
    "    else\n" \
    "      rows[#rows + 1] = {id, n, string.format('%.0f', age), text}\n" \
    "    end\n" \
    "  end\n" \
    "end\n" \
    "return rows\n"

/* clang-format on */

const char *
script_text(enum script script)
{
    static const char *const texts[SCRIPT_COUNT] = {
        [SCRIPT_PUBLISH] = PRELUDE PUBLISH,
        [SCRIPT_SYNC] = PRELUDE SYNC,
        [SCRIPT_ANNOUNCE] = ANNOUNCE,
        [SCRIPT_RENEW] = PRELUDE RENEW,
        [SCRIPT_ACK] = ACK,
        [SCRIPT_WATCH] = PRELUDE WATCH,
        [SCRIPT_FORGET] = FORGET,
        [SCRIPT_MARK] = PRELUDE MARK,
    };

    CHECK(script < SCRIPT_COUNT);
    return texts[script];
}
