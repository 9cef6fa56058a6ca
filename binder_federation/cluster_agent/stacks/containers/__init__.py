"""What stacks share whose servers are containers: Docker and Kubernetes."""
