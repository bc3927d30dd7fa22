"""Tables, indexes and their keys as plain data: declared, compared, described; never asked for."""
