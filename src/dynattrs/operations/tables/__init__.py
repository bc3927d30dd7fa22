"""Tables: made, described, compared with their declarations, and changed."""
