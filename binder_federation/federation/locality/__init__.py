"""Which member holds which image, who builds one, who built a repository before.

`contract.py` says what a store does; `memory.py` is the one for a single replica.
"""
