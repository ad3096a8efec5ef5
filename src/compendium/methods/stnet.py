"""ST-Net (He et al. 2020): a DenseNet-121 of each tile and one linear layer to all genes."""

from torch import nn

from compendium.images.augment.functional import SYMMETRIES, symmetry
from compendium.methods.layers import Batch, Expression, ImageEncoder, Loss, Method, ModelSpec
from compendium.methods.registry import Config, Recipe, register


class STNet(Method):
    """Linear regression on the features of a convolutional encoder.

    prediction = W f(tile) + b, with W = 0 and b = training mean of each gene at the start.

    Parameters
    ----------
    spec
        Number of genes, their training means, and the kind of image.
    config
        Has no fields.

    References
    ----------
    He et al., Nature Biomedical Engineering 2020, Methods.
    """

    def __init__(self, spec: ModelSpec, config: Config):
        super().__init__()
        self.image = ImageEncoder(spec)
        self.tiles = not spec.features
        self.head = nn.Linear(self.image.width, spec.genes)
        nn.init.zeros_(self.head.weight)
        self.head.bias.data.copy_(spec.mean)

    def forward(self, batch: Batch) -> Expression:
        """Predict by one linear layer on the encoder's features."""
        return self.head(self.image(batch.image))

    def losses(self, batch: Batch) -> dict[str, Loss]:
        """Return the squared error, averaged over genes and summed over spots."""
        return {"squared error": (self(batch) - batch.target).square().mean(dim=1).sum()}

    def predict(self, batch: Batch) -> Expression:
        """Average over the eight symmetries of a tile; frozen features are taken as they are."""
        if not self.tiles:
            return self(batch)
        views = (self.head(self.image(symmetry(batch.image, which))) for which in range(SYMMETRIES))
        return sum(views) / SYMMETRIES


register(
    STNet,
    Recipe(
        name="stnet",
        unit="spot",
        tile_px=224,
        target="log1p",
        encoder="densenet121.tv_in1k",
        optimiser="sgd",
        lr=1e-6,
        momentum=0.9,
        epochs=50,
        augment="stnet",
        laptop={"optimiser": "adam", "lr": 3e-5, "momentum": 0.0, "batch": 128, "steps": 490},
        smoke={"optimiser": "adam", "lr": 1e-2, "momentum": 0.0, "epochs": 3},
    ),
)
