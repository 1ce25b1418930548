"""HTTP and the command line: parse, call a use case, present."""
