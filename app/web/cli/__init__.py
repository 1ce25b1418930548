"""The commands of `flask`, one module per group."""
