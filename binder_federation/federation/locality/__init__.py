"""Which member holds which image, who builds one, who built a repository before.

`contract.py` says what a store does; `memory.py` is the one for a single replica,
`redis.py` the one that replicas share: a `mirror.py` of all facts that decides without a
round trip, kept true by `fact_writer.py`, `loader.py`, `miss_reader.py` and `upkeep.py`.
"""
