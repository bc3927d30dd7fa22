"""What a session does, as sans-IO flows: each operation written once, for any driver."""
