"""Files of whole tables: where they are, what is in them, and which of them count."""
