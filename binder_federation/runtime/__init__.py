"""What every layer stands on: errors, background tasks, logs, the HTTP edge."""
