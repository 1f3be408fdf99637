"""The command line: one module per command, of which only the one that was asked for is imported."""
