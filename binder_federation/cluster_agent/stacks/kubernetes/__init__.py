"""The Kubernetes stack: builds and servers are pods of one namespace."""
