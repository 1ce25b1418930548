"""Both systems listed and everybody planned: surveys, sweeps, and what has changed since."""
