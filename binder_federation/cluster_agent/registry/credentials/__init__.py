"""Who this member is to its registry: one module per kind of credentials."""
