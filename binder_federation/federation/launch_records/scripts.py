"""What Redis does to a launch's record in one step. Each script's answer is explained with it.

KEYS: the launch's hash (`owner`, `state`, `followed`), its stream of events. An event's
id in the stream is its number. An owner of "" has released the launch.
"""

WRITE = """
local owner = redis.call('HGET', KEYS[1], 'owner')
if owner and owner ~= ARGV[1] then return 0 end
if not owner and ARGV[3] == '' then return 2 end
if ARGV[3] ~= '' then redis.call('HSET', KEYS[1], 'owner', ARGV[1], 'state', ARGV[3]) end
for i = 6, #ARGV, 3 do
  redis.pcall('XADD', KEYS[2], 'MAXLEN', '~', ARGV[5], ARGV[i] .. '-0',
              'at', ARGV[i + 1], 'text', ARGV[i + 2])
end
if ARGV[4] == '1' then redis.call('HSET', KEYS[1], 'owner', '') end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.call('PEXPIRE', KEYS[2], ARGV[2])
return 1
"""
"""ARGV: replica, lifetime in ms, state or '', '1' to release, most events, then for each event
its number, where it came from and its text. 0: it is another replica's; 2: it is not known
any more, and must be written whole; 1: written. Events that are there already stay."""

TAKE = """
local owner = redis.call('HGET', KEYS[1], 'owner')
if owner and owner ~= ARGV[2] and owner ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'owner', ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
"""
"""ARGV: replica, the owner that it expects, lifetime in ms. 1: it is the replica's now."""

FETCH = """
local owner = redis.call('HGET', KEYS[1], 'owner')
local state = redis.call('HGET', KEYS[1], 'state')
if not owner or not state then return {} end
if ARGV[2] == '1' then redis.call('HSET', KEYS[1], 'followed', redis.call('TIME')[1]) end
return {owner, state, redis.call('XRANGE', KEYS[2], '(' .. ARGV[1] .. '-0', '+')}
"""
"""ARGV: the number after which events are wanted, '1' from somebody who follows."""

FOLLOWED = """
local at = redis.call('HGET', KEYS[1], 'followed')
if not at then return 0 end
return (tonumber(redis.call('TIME')[1]) - tonumber(at) < tonumber(ARGV[1])) and 1 or 0
"""
"""ARGV: seconds. Whether somebody has followed in the last so many seconds."""
