"""Automatic sync: webhook deliveries and registrations, sweeps, employees in trouble."""
