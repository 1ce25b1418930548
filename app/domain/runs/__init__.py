"""What a run is: how it begins, its states, its progress, its queue, its months and days."""
