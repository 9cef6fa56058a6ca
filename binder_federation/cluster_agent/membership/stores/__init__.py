"""Where a membership is kept: `file.py` in the state folder, `secret.py` in a Kubernetes Secret."""
