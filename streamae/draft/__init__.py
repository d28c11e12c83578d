"""A first configuration for a stream, drafted from a sample of its records."""
