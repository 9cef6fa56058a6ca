"""Servers that are started before their visitors come (docs/warm-servers.md)."""
