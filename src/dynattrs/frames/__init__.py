"""Tables as frames: what queries give as columns, and columns as objects. Loaded when it is asked for."""
