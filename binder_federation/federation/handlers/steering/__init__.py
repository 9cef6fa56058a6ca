"""The admin API for steering: `/api/admin/…`, one module for each kind of order.

`bodies.py` are the requests, `attempts.py` is the way that each change takes: who asks, may
they, the edit (`federation/orders`), the audit. `routes.py` names the addresses.
"""
