"""What stands beside saving and reading objects, each loaded only when it is asked for."""
