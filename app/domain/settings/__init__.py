"""What a customer decides per connection, checked before it is kept."""
