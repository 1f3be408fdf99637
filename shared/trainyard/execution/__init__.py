"""Runs a pipeline definition on this machine: document in, jobs, stored outputs and Describe-shaped results out."""
