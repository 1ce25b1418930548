"""Before the service starts: nobody listens on the way, nobody guesses a secret, nobody else reads a file."""
