"""Is a member well? Pure transitions, the probes, the loop that runs them, own checks."""
