"""What stacks need of the machine that the agent runs on: programs, ports, variables, files,
runs of tools."""
