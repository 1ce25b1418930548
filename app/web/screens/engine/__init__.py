"""The engine room's pages: what runs and waits, webhook deliveries, charts."""
