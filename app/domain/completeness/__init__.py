"""What a reading did not bring: lists that shifted, records that cannot be read, and how that is said."""
