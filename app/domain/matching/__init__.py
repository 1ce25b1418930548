"""Which employee of the other system is this one, and which employees are offered for a run."""
