"""The keys of the model. They change scores, so all but two are part of a snapshot's identity."""

import math
from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

from msgspec import Meta

from streamae.config.models import MODELS, ModelName
from streamae.config.section import Change, Section, about


class Quality(NamedTuple):
    """What a level of `detector.quality` stands for."""

    n_latents: int
    """Of `denoising_sparse`."""
    autoencoder_interval: int


MOST = 1000
"""Weight of a term of the loss beside that of the squared error: with more nothing else counts."""

MAX_COLUMNS = 16_384
"""Of what the detector reads. Each pair of them takes some 100 bytes, which is 25 GiB here, and the
time of a block grows with their cube: 20 s of a core at 4,000."""

QUALITIES = {"fast": Quality(128, 16), "default": Quality(256, 8), "high": Quality(512, 2)}


class DetectorConfig(Section, frozen=True):
    change: ClassVar[Change] = "new model"

    block_size: Annotated[
        int,
        about(
            "Records learnt from together; scores use the model of the last block.", ge=16, le=4096
        ),
    ] = 256
    seed: Annotated[int, about("Changes every random choice of the model.", ge=0)] = 0
    device: Annotated[
        Literal["auto", "cpu", "cuda"],
        about("`auto` uses the first CUDA device, else the CPU.", "restart"),
    ] = "auto"
    threads: Annotated[
        int,
        about(
            "Threads of one matrix product; more than one pays only on idle cores.", "restart", ge=1
        ),
    ] = 1
    diff: Annotated[
        tuple[str, ...] | Literal["auto"],
        about("Counters, judged by their change; `auto`: what only rises in the first block."),
    ] = "auto"
    heavy_tails: Annotated[
        tuple[str, ...] | Literal["auto"],
        about("Features judged by the logarithm of how far they are out; `auto` finds them."),
    ] = ()
    calendar: Annotated[
        bool, about("Judge records by what is usual at their time of day and day of week.")
    ] = False
    time_zone: Annotated[str, about("Whose days `calendar` counts, such as `Europe/Berlin`.")] = (
        "UTC"
    )
    lag: Annotated[
        int,
        about("Earlier records of the key that a record is judged given; 1 to 3.", ge=0, le=64),
    ] = 0
    max_keys: Annotated[
        int,
        about("Keys whose last records are remembered; the one unseen for longest goes.", ge=1),
    ] = 4096
    model: Annotated[
        ModelName,
        about("The autoencoder; keys of other models are an error, null stands for its own value."),
    ] = "denoising_sparse"
    quality: Annotated[
        Literal["fast", "default", "high"],
        about(
            "How much the autoencoder learns: every 16th record, 8th, or 2nd; `fast` halves"
            " the latents of `denoising_sparse` and `high` doubles them."
        ),
    ] = "default"
    n_latents: Annotated[
        Annotated[int, Meta(ge=1, le=8192)] | None,
        about("Hidden units; more separate finer modes at a quadratic cost."),
    ] = None
    activation: Annotated[
        Literal["linear", "relu", "sigmoid", "softplus", "tanh"] | None,
        about("What makes the code of weighted sums."),
    ] = None
    learning_rate: Annotated[
        Annotated[float, Meta(gt=0, le=1)] | None, about("Step of Adam on the weights.")
    ] = None
    weight_decay: Annotated[
        Annotated[float, Meta(ge=0, le=MOST)] | None,
        about("Weight of half the sum of squared weights in the loss (lambda)."),
    ] = None
    l1_weight: Annotated[
        Annotated[float, Meta(ge=0, le=MOST)] | None,
        about("Weight of the code's size in the loss (alpha)."),
    ] = None
    sparsity_target: Annotated[
        Annotated[float, Meta(ge=1e-4, le=1 - 1e-4)] | None,
        about("Mean activation the latents are drawn to (rho)."),
    ] = None
    sparsity_weight: Annotated[
        Annotated[float, Meta(ge=0, le=MOST)] | None,
        about("Weight of KL(rho || mean activation) in the loss (beta)."),
    ] = None
    k: Annotated[
        Annotated[int, Meta(ge=1)] | None, about("Latents kept per record, the largest ones.")
    ] = None
    contraction_weight: Annotated[
        Annotated[float, Meta(ge=0, le=MOST)] | None,
        about("Weight of the squared norm of the code's Jacobian in the loss (gamma)."),
    ] = None
    corruption_noise: Annotated[
        Annotated[float, Meta(ge=0, le=10)] | None,
        about("Noise the autoencoder has to undo, in standard deviations; 0.1 to 0.5."),
    ] = None
    corruption_masking: Annotated[
        Annotated[float, Meta(ge=0, lt=1)] | None,
        about("Share of values hidden while learning, as missing ones are."),
    ] = None
    corruption_salt_and_pepper: Annotated[
        Annotated[float, Meta(ge=0, lt=1)] | None,
        about("Share of values that become 1 or -1 standard deviation while learning."),
    ] = None
    ridge: Annotated[
        float, about("Added to the code's second moments before the decoder is solved.", ge=1e-6)
    ] = 0.001
    covariance_ridge: Annotated[
        float,
        about("Variance below which a direction counts as noise, in feature variances.", ge=1e-6),
    ] = 0.003
    autoencoder_memory: Annotated[
        int, about("Records the autoencoder's sums look back over, of those it learns.", ge=4096)
    ] = 8192
    autoencoder_interval: Annotated[
        Annotated[int, Meta(ge=1)] | None,
        about(
            "The autoencoder learns one record in so many once its memory is filled, the covariance"
            " two; null: by `quality`."
        ),
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
    drift_records: Annotated[
        int,
        about("Records a feature's level stays shifted until it is the new normal.", ge=1),
    ] = 1024
    n_histograms: Annotated[
        int, about("Histograms of single features that tell rare values.", ge=1, le=4096)
    ] = 32
    warmup_records: Annotated[
        int,
        about(
            "Scores seen before anything is flagged, at least; a budget of one in n waits for n,"
            " or for `calibration_memory`.",
            ge=1,
        ),
    ] = 1024
    calibration_memory: Annotated[
        int,
        about("Records whose scores the p-values compare with; longer is steadier.", ge=1),
    ] = 20_000

    @property
    def learning_interval(self) -> int:
        """The autoencoder learns one record in so many."""
        return self.autoencoder_interval or QUALITIES[self.quality].autoencoder_interval

    @property
    def hyperparameters(self) -> dict[str, Any]:
        """What the chosen model takes, each key as set or with the model's own value."""
        defaults = dict(MODELS[self.model].defaults)
        if self.model == "denoising_sparse":
            defaults["n_latents"] = QUALITIES[self.quality].n_latents
        chosen = {key: getattr(self, key) for key in defaults}
        return defaults | {key: value for key, value in chosen.items() if value is not None}

    def violations(self) -> Iterator[tuple[str, str]]:
        """Yield the keys that do not go together, and what is wrong."""
        model, taken = MODELS[self.model], self.hyperparameters
        for key in sorted({key for other in MODELS.values() for key in other.defaults}):
            if key not in taken and getattr(self, key) is not None:
                yield (
                    key,
                    f"not used with `model: {self.model}`, which has {', '.join(sorted(taken))}",
                )
        if "activation" in taken and taken["activation"] not in model.activations:
            yield "activation", f"with `model: {self.model}` it is {' or '.join(model.activations)}"
        if taken.get("k", 0) > taken["n_latents"]:
            yield "k", f"must not exceed `n_latents`, which is {taken['n_latents']}"

    def too_many(self, n_features: int) -> str | None:
        """Return why so many features are more than a machine can take; None if they are not."""
        columns = n_features * (1 + self.lag)
        if columns <= MAX_COLUMNS:
            return None
        given = f" and `detector.lag: {self.lag}` make {columns:,} columns" if self.lag else ""
        most = f"{MAX_COLUMNS:,} are the most, for memory grows with their square"
        return f"{n_features:,} features{given}; {most}"

    def scores_before(self, alpha: float) -> int:
        """Return how many scores it takes to judge by the p-value `alpha`.

        With one score beyond it to be expected among them, the tail is followed no further than
        ten times beyond its tenth-highest score; more than are remembered make it no better.
        """
        return max(self.warmup_records, min(math.ceil(1.0 / alpha), self.calibration_memory))

    def records_before(self, alpha: float) -> int:
        """Return how many records it takes until they are judged by the p-value `alpha`.

        The first block has no scores, and what comes after it is learnt in whole blocks.
        """
        return self.block_size * (1 + math.ceil(self.scores_before(alpha) / self.block_size))
