"""Binder Federation: a federated router and load balancer across Binder clusters."""

__version__ = "0.1.0"
