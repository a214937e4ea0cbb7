"""Training: from recordings to a model revision. Needs the extra `train`."""
