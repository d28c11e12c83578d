"""What the models are built on, from seeds and state to factors, and the ranking of scores."""
