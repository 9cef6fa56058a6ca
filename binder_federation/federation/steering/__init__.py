"""What operators change while the federation runs: weights, drains, bans, quotas, who joined.

One small document holds all of it (`document.py`). `steering.py` changes it and tells those
who act by it; `stores/` keep it; `core/steering.py` says what it means together with the
settings; `applying.py` brings that to the roster and the policy.
"""
