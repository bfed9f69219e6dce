"""What stands before the public entry: firewalls."""
