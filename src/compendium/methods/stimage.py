"""STimage (Tan et al. 2023): an encoder of one tile and a negative binomial for each gene."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from compendium.data.targets.transforms import SIGNED
from compendium.errors import BadInput
from compendium.machine import double
from compendium.methods.count_losses import integer_counts, nb_total_probability
from compendium.methods.layers import (
    Batch,
    Expression,
    ImageEncoder,
    Loss,
    Method,
    ModelSpec,
    full_precision,
)
from compendium.methods.registry import Config, Recipe, register

# Targets ln(1 + scale x rate), with the rate of a gene in counts per 10,000 molecules: there the
# likelihood is of counts.
RATE_SCALE = {"wide": 1.0, "logcpm": 100.0}


@dataclass(frozen=True)
class STimageConfig(Config):
    """Architecture of STimage."""

    freeze: bool = True
    """Whether the encoder keeps its weights."""


class STimage(Method):
    """Negative binomial regression on the features of an encoder.

    n = softplus(W f(tile) + b), logit p = V f(tile) + c; loss = -ln NB(y; n, p) summed over genes;
    prediction = n (1 - p) / p. On the targets `wide` and `logcpm` y is the count, its mean is
    size x n (1 - p) / p, and the prediction is ln(1 + scale x n (1 - p) / p).

    Parameters
    ----------
    spec
        Number of genes, their training means, the target, and the kind of image.
    config
        Architecture.

    Raises
    ------
    BadInput
        Where the target goes below 0.

    References
    ----------
    Tan et al., bioRxiv 2023, Methods.
    """

    has_likelihood = True

    def __init__(self, spec: ModelSpec, config: STimageConfig):
        super().__init__()
        if spec.target in SIGNED:
            raise BadInput(
                f"method stimage has no likelihood for target {spec.target}, which goes below 0; "
                "give target=wide, or target=log1p as published"
            )
        self.scale = RATE_SCALE.get(spec.target)
        self.image = ImageEncoder(spec, frozen=config.freeze)
        self.head = nn.Linear(self.image.width, 2 * spec.genes)
        nn.init.zeros_(self.head.weight)
        mean = spec.mean.clamp(min=1e-3)
        if self.scale is not None:
            mean = mean.expm1() / self.scale
        # p = 1/2, where the mean is n.
        start = torch.cat([inverse_softplus(mean), torch.zeros_like(mean)])
        self.head.bias.data.copy_(start)

    def nb_parameters(self, batch: Batch) -> tuple[Expression, Expression]:
        """Return n and the logit of p."""
        features = self.image(batch.image)
        with full_precision(features):
            number, logit = self.head(features.float()).chunk(2, dim=1)
            return F.softplus(number), logit

    def losses(self, batch: Batch) -> dict[str, Loss]:
        """Return -log-likelihood, summed over genes, mean over spots."""
        n, logit = self.nb_parameters(batch)
        if self.scale is None:
            each = nb_total_probability(batch.target, n, double(logit).sigmoid())
        else:
            p = sized(logit, batch.size)
            each = nb_total_probability(integer_counts(batch.counts), n, p)
        return {"negative binomial": each.sum(dim=1).mean()}

    def forward(self, batch: Batch) -> Expression:
        """Predict the mean, or ln(1 + scale x mean) on a target of rates."""
        mean = nb_mean(*self.nb_parameters(batch))
        return mean if self.scale is None else torch.log1p(self.scale * mean)

    def dispersion(self, batch: Batch) -> Expression:
        """Predict n."""
        return self.nb_parameters(batch)[0]

    def variance(self, batch: Batch) -> Expression:
        """Return n (1 - p) / p^2, the variance of the target or of counts at 10,000 molecules."""
        n, logit = self.nb_parameters(batch)
        return nb_mean(n, logit) * (1 + torch.exp(-logit))


def nb_mean(n: Expression, logit: Expression) -> Expression:
    """Return n (1 - p) / p."""
    return n * torch.exp(-logit)


def sized(logit: Expression, size: Float[Tensor, "spot"]) -> Expression:
    """Return p of a spot of a size factor: odds (1 - p) / p and mean are multiplied by it.

    A spot of size 0 has p = 1, count 0 and mean 0.
    """
    return torch.sigmoid(double(logit) - double(size).clamp(min=1e-8).log()[:, None])


def inverse_softplus(value: Float[Tensor, "*spot gene"]) -> Float[Tensor, "*spot gene"]:
    """Return the number whose softplus is a value above 0."""
    return value + torch.log(-torch.expm1(-value))


register(
    STimage,
    Recipe(
        name="stimage",
        unit="spot",
        tile_px=299,
        target="log1p",
        encoder="resnet50.tv_in1k",
        lr=1e-5,
        batch=128,
        epochs=100,
        scale="0-255",
        config=STimageConfig(),
        published={"spots": "stimage"},
        laptop={"lr": 3e-4, "steps": 610},
        smoke={"lr": 1e-2, "epochs": 3, "batch": 32},
    ),
)
