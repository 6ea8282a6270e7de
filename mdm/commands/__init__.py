"""The command groups of mdm, one module for a noun, imported only when asked for."""
