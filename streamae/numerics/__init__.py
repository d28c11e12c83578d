"""What autoencoders and the detector are built of: seeds, state, device, optimiser, corruption."""
