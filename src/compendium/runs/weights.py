"""Weights of fits on frozen features as safetensors: what predicts the genes of new tiles.

>>> trained = weights.read(path)
>>> how = trained.run.encoder, trained.run.tile_px, trained.run.weights
>>> trained.predict(features(section, *how, scale=trained.run.scale))
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from jaxtyping import Float, Float32

from compendium.data.section import Section
from compendium.data.sources import cohort as catalogued
from compendium.data.targets.transforms import REGISTRY
from compendium.errors import BadInput, one_line
from compendium.methods import recipe
from compendium.methods.layers import Batch, Method, ModelSpec
from compendium.methods.registry import NONE, OWN
from compendium.runs.fit import fit
from compendium.runs.inputs.prepare import prepare_inputs, used
from compendium.runs.run import Run, restored
from compendium.runs.store import CHECKPOINT
from compendium.storage import atomic_file

FACTS, CHECKSUM = "compendium", "sha256"
"""Entries of the header of a file: facts as JSON, and a checksum of these and of all arrays."""
ROWS, COLUMNS = "rows of ", "columns of "
Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Trained:
    """A fitted method that predicts spots one by one from frozen features of their tiles.

    Parameters
    ----------
    method
        The network, in evaluation mode. It takes features as the encoder gives them: what scales
        and centres them is among its weights, and so is the reference bank of BLEEP.
    run
        The run: which encoder and tiles the features are of, and the target.
    genes
        Genes that are predicted, in order.
    facts
        Width of the features, number of tissue classes, formula of the target, digests of the
        training sections, licence and attribution of these, stages, and what `write` was given.
    """

    method: Method
    run: Run
    genes: list[str]
    facts: Mapping[str, object]

    @torch.inference_mode()
    def predict(
        self, features: Float[np.ndarray, "spot feature"]
    ) -> Float32[np.ndarray, "spot gene"]:
        """Predict expression on the run's target.

        Raises
        ------
        BadInput
            If the features are not as wide as those that were trained on.
        """
        if features.shape[1] != (width := self.facts["features"]):
            raise BadInput(
                f"method {self.run.method} was trained on {width} features of a tile by"
                f" {self.run.encoder} and is given {features.shape[1]}; give it those"
            )
        image = torch.from_numpy(np.ascontiguousarray(features, np.float32))
        batch = Batch(image, torch.zeros(len(image), 2, dtype=torch.long))
        return self.method.predict(batch).float().numpy()


def trained(run: Run, sections: Sequence[Section], device: str = "cpu") -> Trained:
    """Fit a run, and keep its weights, which the store does not.

    Raises
    ------
    BadInput
        If the method sees whole sections, or tiles instead of frozen features.
    """
    if recipe(run.method).unit != "spot" or run.encoder in (OWN, NONE):
        raise BadInput(
            f"weights are kept of methods that predict a spot from frozen features; {run.method}"
            f" with encoder={run.encoder} is none"
        )
    prepared = prepare_inputs(run, sections, device)
    with TemporaryDirectory() as folder:
        at = Path(folder) / CHECKPOINT
        method = fit(run, prepared.training, prepared.validation, device, at).method.cpu()
    known = catalogued(run.cohort)
    names = (*run.split.train, *run.split.valid)
    facts = {
        "features": prepared.training[0].image.shape[1],
        "classes": 1 + max(int(each.labels.max()) for each in prepared.training),
        "target": REGISTRY[run.target].formula,
        "trained_on": {s.name: s.digest for s in used(run, sections) if s.name in names},
        "licence": known.licence,
        "attribution": known.attribution,
        "stages": run.versions(),
    }
    return Trained(method, run, list(prepared.target.genes), facts)


def write(path: Path, fitted: Trained, **facts: str) -> None:
    """Write weights and what a prediction needs beside them.

    Matrices are written in as many bits as the method says (`Method.weight_bits`), which changes a
    PCC of published fits by 0.003 at most; vectors, and what the method names `exact`, as they are.
    Parts of the method that prediction does without are left out.

    Parameters
    ----------
    path
        File that is written.
    fitted
        The fitted method.
    facts
        Further facts, such as the commit.
    """
    arrays: Arrays = {}
    method = fitted.method
    for name, tensor in method.state_dict().items():
        part = name.partition(".")[0]
        if part in method.exact:
            arrays[name] = tensor.numpy()
        elif part not in method.training_only:
            arrays |= _coded(name, tensor.numpy(), method.weight_bits)
    # safetensors writes the bytes of an array in the order in which they lie
    arrays = {name: np.ascontiguousarray(values) for name, values in arrays.items()}
    stated = {"run": asdict(fitted.run), "genes": fitted.genes, **fitted.facts, **facts}
    text = json.dumps(stated, sort_keys=True)
    header = {FACTS: text, CHECKSUM: _checksum(text, arrays)}
    from safetensors.numpy import save_file

    with atomic_file(path) as aside:
        save_file(arrays, aside, header)


def read(path: Path) -> Trained:
    """Read what `write` wrote.

    Raises
    ------
    BadInput
        If there is no such file, or it is not as it was written.
    """
    from safetensors import SafetensorError

    try:
        return _read(path)
    except (SafetensorError, ValueError, LookupError, TypeError, RuntimeError, OSError) as error:
        raise BadInput(
            f"{path} holds no weights that can be read ({one_line(error)}); take the file from one"
            " commit, or publish it again"
        ) from error


def _read(path: Path) -> Trained:
    from safetensors import safe_open

    with safe_open(path, framework="np") as stored:
        header = stored.metadata()
        arrays = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
    if _checksum(header[FACTS], arrays) != header[CHECKSUM]:
        raise ValueError("it has changed since it was written")
    facts = json.loads(header[FACTS])
    run, genes = restored(facts.pop("run")), facts.pop("genes")
    spec = ModelSpec(
        genes=len(genes),
        mean=torch.zeros(len(genes)),
        target=run.target,
        classes=facts["classes"],
        features=facts["features"],
    )
    method = recipe(run.method).build(spec, **dict(run.model)).eval()
    names = [name for name in arrays if not name.startswith((ROWS, COLUMNS))]
    state = {name: torch.from_numpy(_decoded(name, arrays)) for name in names}
    lacking, unknown = method.load_state_dict(state, strict=False)
    lacking = [name for name in lacking if name.partition(".")[0] not in method.training_only]
    if lacking or unknown:
        raise ValueError(f"{', '.join([*lacking, *unknown])} does not fit method {run.method}")
    return Trained(method, run, genes, facts)


def _coded(name: str, values: np.ndarray, bits: int) -> Arrays:
    """A matrix as integers times the scales of its rows and columns; other arrays as they are.

    Rows and columns of zeros alone, as of a gene that is predicted by its mean, have scale 0 and
    are left out.
    """
    if values.ndim != 2:
        return {name: values}
    wide, kept = values.astype(np.float64), values != 0
    held = np.ix_(kept.any(axis=1), kept.any(axis=0))
    rows, columns = _scales(wide[held])
    columns = np.abs(wide[held] / rows[:, None]).max(axis=0, initial=0) / (2 ** (bits - 1) - 1)
    codes = np.rint(wide[held] / rows[:, None] / columns).astype(f"int{bits}")
    scales = [np.zeros(size, np.float32) for size in values.shape]
    scales[0][held[0].ravel()], scales[1][held[1].ravel()] = rows, columns
    return {name: codes, ROWS + name: scales[0], COLUMNS + name: scales[1]}


def _scales(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scales of rows and of columns by which both have a mean square of about 1."""
    columns = np.ones(values.shape[1])
    for _ in range(3):
        rows = np.sqrt(np.square(values / columns).mean(axis=1))
        columns = np.sqrt(np.square(values / rows[:, None]).mean(axis=0))
    return rows, columns


def _decoded(name: str, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    if ROWS + name not in arrays:
        return arrays[name]
    rows, columns = arrays[ROWS + name], arrays[COLUMNS + name]
    values = np.zeros((len(rows), len(columns)), np.float32)
    scales = np.outer(rows[rows > 0], columns[columns > 0])
    values[np.ix_(rows > 0, columns > 0)] = arrays[name] * scales
    return values


def _checksum(text: str, arrays: Mapping[str, np.ndarray]) -> str:
    digest = hashlib.sha256(text.encode())
    for name, values in sorted(arrays.items()):
        digest.update(f"{name} {values.dtype.str} {values.shape}".encode())
        digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()
