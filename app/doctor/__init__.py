"""`flask doctor`: looks at everything around the service, also when parts are down or the settings are refused."""
