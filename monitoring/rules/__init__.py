"""Recording rules and alerts. They have no variables, so they keep `namespace` and `job` apart."""
