"""Lists both systems and plans every employee: surveys, sweeps, and what changed without a webhook."""
