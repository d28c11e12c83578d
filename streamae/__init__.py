"""streamae: streaming anomaly detection with an online denoising sparse autoencoder."""

__version__ = "0.1.0"
