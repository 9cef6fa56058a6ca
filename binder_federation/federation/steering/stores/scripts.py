"""What Redis does to the steering document in one step."""

REPLACE = """
local kept = redis.call('HGET', KEYS[1], 'revision') or '0'
if kept ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'revision', ARGV[2], 'document', ARGV[3])
if ARGV[4] ~= '' then
  redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[5], '*', 'entry', ARGV[4])
end
return 1
"""
"""KEYS: the document's hash, the audit's stream. ARGV: the revision that must be there, the new
one, the document, an audit entry or '', most entries. 1: it is written; 0: another one is there."""
