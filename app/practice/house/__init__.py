"""All of Awase on one machine: processes, environment, a connection, the demo."""
