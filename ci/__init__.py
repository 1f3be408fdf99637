"""What continuous integration runs; every part is a command that people run too: ``python -m ci.<part>``."""
