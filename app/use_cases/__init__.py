"""What is done: one module per step of a run, each taking a Context. Adapters only through ports."""
