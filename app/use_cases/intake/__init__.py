"""Everything that asks for work: start, approve, retry, undo, and webhook deliveries."""
