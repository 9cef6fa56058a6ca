"""repo2docker, run as a process of its own: by the agent on Docker, in a pod on Kubernetes."""
