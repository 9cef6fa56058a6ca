"""The agent's decisions: pure functions and small values, without clock, socket or log."""
