"""The queries of health checks, metrics and the engine room, and the counters that only grow."""
