"""The keys of the model: everything here changes scores, so it is part of a snapshot's identity."""

from typing import Annotated, Literal, NamedTuple

from msgspec import Meta

from streamae.config.section import Section, about


class Effort(NamedTuple):
    """What a level of `detector.quality` stands for."""

    n_latents: int
    autoencoder_interval: int


EFFORTS = {"fast": Effort(64, 8), "default": Effort(128, 4), "high": Effort(256, 1)}


class DetectorConfig(Section, frozen=True):
    block_size: Annotated[
        int,
        about(
            "Records learnt from together; scores use the model of the last block.", ge=16, le=4096
        ),
    ] = 256
    seed: Annotated[int, about("Changes every random choice of the model.", ge=0)] = 0
    device: Annotated[
        Literal["auto", "cpu", "cuda"], about("`auto` uses the first CUDA device, else the CPU.")
    ] = "auto"
    threads: Annotated[
        int,
        about("Threads of one matrix product; more than one pays only on idle cores.", ge=1),
    ] = 1
    diff: Annotated[
        tuple[str, ...] | Literal["auto"],
        about("Counters, judged by their change; `auto`: what never falls in the first block."),
    ] = "auto"
    max_keys: Annotated[
        int,
        about("Keys whose last records are remembered; the one unseen for longest goes.", ge=1),
    ] = 4096
    quality: Annotated[
        Literal["fast", "default", "high"],
        about("How much the autoencoder learns: 64 units every 8th block, 128 every 4th, 256 all."),
    ] = "default"
    n_latents: Annotated[
        Annotated[int, Meta(ge=1, le=8192)] | None,
        about("Hidden units; more separate finer modes at a quadratic cost; null: by `quality`."),
    ] = None
    activation: Annotated[
        Literal["relu", "sigmoid"],
        about("Code of the autoencoder; `sigmoid` is kept sparse by `sparsity_weight`."),
    ] = "relu"
    l1_weight: Annotated[
        float, about("Weight of the mean latent in the loss of `relu`; thins the code.", ge=0)
    ] = 0.0
    sparsity_target: Annotated[
        float, about("Mean activation `sigmoid` latents are drawn to (rho).", gt=0, lt=1)
    ] = 0.1
    sparsity_weight: Annotated[
        float,
        about("Weight of KL(rho || mean activation) in the loss of `sigmoid` (beta).", ge=0),
    ] = 0.1
    corruption_noise: Annotated[
        float,
        about("Noise the autoencoder has to undo, in standard deviations; 0.1 to 0.5.", ge=0),
    ] = 0.3
    corruption_masking: Annotated[
        float,
        about("Share of values hidden while learning, as missing ones are.", ge=0, lt=1),
    ] = 0.02
    learning_rate: Annotated[
        float, about("Step of Adam on the encoder; the decoder is solved.", gt=0, le=1)
    ] = 0.003
    ridge: Annotated[
        float, about("Added to the code's second moments before the decoder is solved.", gt=0)
    ] = 0.001
    covariance_ridge: Annotated[
        float,
        about("Variance below which a direction counts as noise, in feature variances.", gt=0),
    ] = 0.003
    autoencoder_memory: Annotated[
        int, about("Records the autoencoder's sums look back over, of those it learns.", ge=4096)
    ] = 8192
    autoencoder_interval: Annotated[
        Annotated[int, Meta(ge=1)] | None,
        about("Blocks per block it learns once its memory is filled; null: by `quality`."),
    ] = None
    residual_memory: Annotated[
        int,
        about(
            "Records the covariance of residuals looks back over, at least 8 per feature;"
            " short, so that a new regime is soon normal.",
            ge=1,
        ),
    ] = 512
    memory: Annotated[
        int,
        about("Records the scaler, the covariance and the histograms look back over.", ge=1),
    ] = 100_000
    n_histograms: Annotated[
        int, about("Histograms of single features that tell rare values.", ge=1, le=4096)
    ] = 32
    warmup_records: Annotated[
        int,
        about("Scores seen before anything is flagged; fewer make small p-values a guess.", ge=1),
    ] = 1024
    calibration_memory: Annotated[
        int,
        about("Records whose scores the p-values compare with; longer is steadier.", ge=1),
    ] = 20_000

    @property
    def effort(self) -> Effort:
        """`quality`, and what was set beside it."""
        usual = EFFORTS[self.quality]
        return Effort(
            self.n_latents or usual.n_latents,
            self.autoencoder_interval or usual.autoencoder_interval,
        )
