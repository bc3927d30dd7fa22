"""From a request to bytes and back: clients, connections, signatures, replies, and the embedded engine."""
