"""What health checks, metrics and the engine room read, and the counters that only grow."""
