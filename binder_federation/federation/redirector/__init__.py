"""What mybinder.org's redirector had: its settings, addresses and metrics."""
