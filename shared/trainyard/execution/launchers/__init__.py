"""Ways to run a staged job."""
