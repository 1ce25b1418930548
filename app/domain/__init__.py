"""What is decided: pure values and functions. No I/O, no framework, nothing of ours outside this package."""
