"""What is built on: seeds, state, device, optimiser, corruption, and the ranking of scores."""
