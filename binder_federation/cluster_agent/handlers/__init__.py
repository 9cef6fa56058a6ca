"""The agent's HTTP edge: parse, ask for one thing, answer."""
