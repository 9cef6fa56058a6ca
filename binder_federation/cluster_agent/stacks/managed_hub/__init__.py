"""JupyterHub with its proxy, run by the agent below itself; the stacks differ in the spawner."""
