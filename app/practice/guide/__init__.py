"""The guided first quarter of an hour: five tasks, each ticked off when it has really happened."""
