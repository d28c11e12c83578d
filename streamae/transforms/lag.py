"""What came before: records of a time-ordered stream are judged given the ones before them."""

from streamae.config import DetectorConfig
from streamae.transforms.history import History
from streamae.transforms.inputs import Inputs
from streamae.transforms.transform import ContextTransform
from streamae.types import Floats


class Lag(ContextTransform):
    """The features of the key's last `lag` records, the latest first; missing where there are none.

    As context they take part in what is expected of a record, the vector autoregression of time
    series, and an anomaly is judged once: in its own record and not again as the past of the next.
    """

    history: History

    def __init__(self, config: DetectorConfig, n_features: int) -> None:
        self.n_columns = config.lag * n_features
        self.history = History(config.lag, n_features, config.max_keys)

    def apply(self, inputs: Inputs) -> Floats:
        """Return [m, lag d] and remember the records."""
        before = self.history.before(inputs.x, inputs.keys)
        return before.reshape(len(before), self.n_columns)
