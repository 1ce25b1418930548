"""The JSON API: routes, what they take, what they answer, its own description."""
