"""The terminal: the standard library only, until a command needs more."""
