"""Dashboards and alerts: in step with the code, and asked of a real Prometheus."""
