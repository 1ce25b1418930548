"""What Awase decides: pure values and functions. No I/O, no framework, no import of ours from outside this package."""
