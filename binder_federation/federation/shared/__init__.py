"""What the replicas of a federation tell each other, through Redis or not at all.

`bus.py` is the contract, `context.py` opens all of it, `connection.py` is the only way to
Redis and `keys.py` has every key name. Everything here is a hint store: losing it slows,
never stops.
"""
