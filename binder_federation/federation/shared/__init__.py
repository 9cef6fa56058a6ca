"""What the replicas of a federation tell each other, through Redis or not at all.

`bus.py` is the contract. Everything here is a hint store: losing it slows, never stops.
"""
