"""Knowledge of text that has no other home: English words, and values that tell of persons and addresses."""
