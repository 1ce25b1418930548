"""What is decided for one employee: the plan, its limits, undo, and whether a run is a mass change."""
