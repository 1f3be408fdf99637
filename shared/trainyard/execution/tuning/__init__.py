"""Hyperparameter tuning: training jobs with values that a search proposes (AWS: automatic model tuning)."""
