"""What several rooms use: finding connections and runs, views, leases, backoff, counting calls."""
