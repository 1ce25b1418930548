"""Everything that asks for work: start, approve, retry, cancel and undo a run, and take webhook deliveries."""
