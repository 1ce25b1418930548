"""The job of one employee: claim, read both sides, plan, write step by step, record the outcome."""
