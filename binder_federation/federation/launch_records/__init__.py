"""What replicas know of each other's launches: one contract, in memory or in Redis."""
