"""What operators see and do: the queue, deliveries, employees in trouble, metrics, readiness."""
