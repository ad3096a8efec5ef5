"""The Section: one tissue section with its spots, counts and image patches, in memory and on disk."""

import dataclasses
import hashlib
import json
import re
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int32, UInt8
from PIL import Image
from scipy.sparse import csr_matrix

from compendium.errors import BadInput
from compendium.storage import atomic_folder

NO_LABEL = ""
RESAMPLING = (
    Image.Resampling.BICUBIC
)  # of tiles in µm; where Pillow shrinks, its kernel is as much wider, so that nothing is aliased
LEGACY_SPOT_UM = (
    100.0  # diameter on the legacy array (Ståhl et al. 2016), which the demo cohort imitates
)
FACTS = (
    "cohort",
    "name",
    "patient",
    "lab",
    "technology",
    "um_per_px",
    "thumbnail_scale",
    "labels_from",
    "spot_set",
    "sources",
)


@dataclass(frozen=True, eq=False, repr=False)
class Section:
    """One tissue section. Immutable; arrays are shared, never copied.

    counts: integer counts [spot gene], or None where they are hidden from a method.
    patches: uint8 RGB [spot px px 3] centred on the spots, memory-mapped, or None for counts-only work.
    grid: array coordinates (x, y) [spot 2]; pixels: full-resolution image position (x right, y down) [spot 2].
    thumbnail: uint8 RGB [height width 3] of the whole image at `thumbnail_scale` (thumbnail px per image px).
    labels: tissue class of each spot ("" where none), or None; labels_from: the section that they were carried over from, "" where they are its own.
    spot_set: which spots these are, "filtered" or "unfiltered", where the publisher gives both, else "".
    sources: raw file -> checksum. digest: identity of the content.
    """

    cohort: str
    name: str
    patient: str
    lab: str
    technology: str
    genes: np.ndarray
    spots: np.ndarray
    grid: Int32[np.ndarray, "spot 2"]
    pixels: Float32[np.ndarray, "spot 2"]
    um_per_px: float
    counts: csr_matrix | None
    patches: UInt8[np.ndarray, "spot px px 3"] | None = None
    thumbnail: UInt8[np.ndarray, "height width 3"] | None = None
    thumbnail_scale: float = 0.0
    labels: np.ndarray | None = None
    labels_from: str = ""
    spot_set: str = ""
    sources: dict[str, str] = field(default_factory=dict)
    digest: str = ""

    def __post_init__(self) -> None:
        """Refuse what no later step could repair."""
        where = f"{self.cohort} section {self.name}"
        for what, names in (("spot", self.spots), ("gene", self.genes)):
            if wrong := [name for name in names if not name or name != name.strip()]:
                raise BadInput(
                    f"{where}: {str(wrong[0])!r} is no name of a {what}; give each a name without spaces around it"
                )
            unique, times = np.unique(names, return_counts=True)
            if len(unique) != len(names):
                raise BadInput(
                    f"{where}: {what} {unique[times > 1][0]} stands {times.max()} times; keep one row or column of each {what}"
                )
        n = len(self.spots)
        for what, array in (
            ("grid", self.grid),
            ("pixels", self.pixels),
            ("patches", self.patches),
            ("labels", self.labels),
        ):
            if array is not None and len(array) != n:
                raise BadInput(
                    f"{where}: {len(array)} rows of {what} for {n} spots; both must list the same spots"
                )
        if not self.spot_um:
            raise BadInput(
                f"{where}: {self.technology!r} states spots without a diameter; correct it, or leave the diameter out"
            )
        if self.counts is not None:
            self._check_counts(where)

    def _check_counts(self, where: str) -> None:
        if self.counts.shape != (len(self.spots), len(self.genes)):
            raise BadInput(
                f"{where}: counts are {self.counts.shape}, expected ({len(self.spots)} spots, {len(self.genes)} genes)"
            )
        values = self.counts.data
        if values.size and values.min() < 0:
            raise BadInput(
                f"{where}: counts hold the negative value {values.min()}; give raw UMI counts"
            )
        whole = np.isfinite(values) & (values == np.round(values))
        if not whole.all():
            raise BadInput(
                f"{where}: counts hold the non-integer value {values[~whole][0]}; give raw UMI counts"
            )

    def __len__(self) -> int:
        return len(self.spots)

    def __repr__(self) -> str:
        image = "no image" if self.patches is None else f"{self.patches.shape[1]} px patches"
        return f"<Section {self.cohort}/{self.name}: patient {self.patient}, {len(self)} spots, {len(self.genes)} genes, {image}>"

    @property
    def spot_um(self) -> float:
        """Diameter of a spot in µm as the technology states it ("55 µm spots"), else that of the legacy array."""
        stated = re.search(
            r"(\d+(?:\.\d+)?)\s*[\u00b5\u03bcu]m spots", self.technology
        )  # the micro sign, the Greek letter, or u
        return float(stated[1]) if stated else LEGACY_SPOT_UM

    @property
    def labels_line(self) -> str:
        """Whose the labels are, as a page says it wherever they are used: "transferred from the adjacent section C1", or "" where they are the section's own."""
        return (
            f"transferred from the adjacent section {self.labels_from}" if self.labels_from else ""
        )

    def __reduce__(self) -> tuple:
        """To another process a stored section travels as its folder; a changed copy of it (dataclasses.replace) has none and travels whole."""
        if folder := getattr(self, "_folder", None):
            return _reopen, (folder, self.digest)
        return Section, tuple(getattr(self, each.name) for each in dataclasses.fields(self))

    def without_counts(self) -> "Section":
        """The section as a method sees it at prediction: counts and labels are gone, not hidden."""
        return dataclasses.replace(self, counts=None, labels=None)

    def matrix(self, genes: list[str]) -> np.ndarray:
        """Dense counts float32 [spot gene] of the named genes, in their order."""
        where = {gene: i for i, gene in enumerate(self.genes)}
        missing = [gene for gene in genes if gene not in where]
        if missing:
            raise BadInput(
                f"{self.cohort} section {self.name}: no counts for {len(missing)} genes of the panel, first {missing[0]}; choose genes that every section has"
            )
        return self.counts[:, [where[gene] for gene in genes]].toarray().astype(np.float32)

    def totals(self, genes: list[str]) -> Float32[np.ndarray, "spot"]:
        """UMI total of each spot over the named genes."""
        chosen = np.isin(self.genes, genes).astype(np.float64)
        return np.asarray(self.counts @ chosen, dtype=np.float32)

    def slide(self) -> UInt8[np.ndarray, "height width 3"]:
        """The thumbnail, for who cannot do without."""
        return self._imaged(self.thumbnail)

    def side(self, px: int, um: float = 0.0) -> int:
        """How many px of the image a tile is wide: `px`, or with `um` that many µm."""
        return round(um / self.um_per_px) if um else px

    def tiles(
        self, px: int, um: float = 0.0, rows: slice = slice(None)
    ) -> UInt8[np.ndarray, "spot px px 3"]:
        """Central `px` x `px` crops of the stored patches (a view); with `um` crops of that many µm, resampled to `px` x `px` (RESAMPLING). rows: of which spots."""
        where, stored, side = (
            f"{self.cohort} section {self.name}",
            self._imaged(self.patches).shape[1],
            self.side(px, um),
        )
        if not side:
            raise BadInput(
                f"{where}: tiles of {um:g} µm asked for are less than half a pixel of {self.um_per_px:.3g} µm; give a larger tile_um"
            )
        if side > stored:
            asked = f"{um:g} µm, which are {side} px," if um else f"{px} px"
            raise BadInput(
                f"{where}: tiles of {asked} asked for, {stored} px stored; run compendium prepare {self.cohort} --tile-px {side}"
            )
        cut = (
            stored // 2 - side // 2
        )  # row side // 2 of every tile is the one of the spot's centre, odd sides too
        crops = self.patches[rows, cut : cut + side, cut : cut + side]
        return (
            crops
            if side == px
            else np.stack(
                [np.asarray(Image.fromarray(crop).resize((px, px), RESAMPLING)) for crop in crops]
            )
        )

    def _imaged(self, part: np.ndarray | None) -> np.ndarray:
        if part is None:
            raise BadInput(
                f"{self.cohort} section {self.name} has no image: fetch its image and prepare it again, or leave the section out"
            )
        return part

    def save(self, folder: Path) -> "Section":
        """Write the section to `folder`, whole or not at all, and open it from there."""
        arrays = {
            "genes": self.genes,
            "spots": self.spots,
            "grid": self.grid,
            "pixels": self.pixels,
        }
        arrays |= {
            f"counts_{part}": getattr(self.counts, part) for part in ("data", "indices", "indptr")
        }
        arrays |= {
            key: value
            for key, value in (("thumbnail", self.thumbnail), ("labels", self.labels))
            if value is not None
        }
        facts = {key: getattr(self, key) for key in FACTS if key != "spot_set" or self.spot_set}
        with atomic_folder(folder) as aside:
            np.savez(aside / "arrays.npz", **arrays)
            if self.patches is not None:
                np.save(aside / "patches.npy", self.patches)
            facts["digest"] = content_digest(arrays, self.patches, facts)
            (aside / "section.json").write_text(json.dumps(facts, indent=1, sort_keys=True))
        return load(folder)


def content_digest(arrays: dict[str, np.ndarray], patches: np.ndarray | None, facts: dict) -> str:
    """sha256 over the facts and every array, whatever machine wrote them."""
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    for name, array in sorted(arrays.items()) + ([] if patches is None else [("patches", patches)]):
        digest.update(f"{name}{array.shape}{array.dtype}".encode())
        digest.update(np.ascontiguousarray(array).data.cast("B") if array.size else b"")
    return digest.hexdigest()


def digest(sections: Iterable[Section]) -> str:
    """One short checksum of several sections, whatever their order."""
    lines = sorted(f"{section.name} {section.digest}" for section in sections)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def load(folder: Path) -> Section:
    """Open a prepared section; patches stay on disk until they are read."""
    if not (folder / "section.json").exists():
        raise BadInput(
            f"no prepared section in {folder}: run compendium prepare {folder.parent.name} --sections {folder.name}"
        )
    try:
        facts = json.loads((folder / "section.json").read_text())
        with (
            (folder / "arrays.npz").open("rb") as file,
            np.load(file, allow_pickle=False) as stored,
        ):
            arrays = dict(stored)
        patches = (
            np.load(folder / "patches.npy", mmap_mode="r")
            if (folder / "patches.npy").exists()
            else None
        )
        shape = (len(arrays["spots"]), len(arrays["genes"]))
        counts = csr_matrix(
            tuple(arrays.pop(f"counts_{part}") for part in ("data", "indices", "indptr")),
            shape=shape,
        )
        section = Section(counts=counts, patches=patches, **arrays, **facts)
    except (ValueError, TypeError, KeyError, EOFError, OSError, zipfile.BadZipFile) as error:
        raise BadInput(
            f"the prepared section in {folder} is damaged ({' '.join(str(error).split())}): delete the folder and prepare it again"
        ) from error
    object.__setattr__(
        section, "_folder", folder
    )  # no field: a copy that is changed must not pass for what lies there
    return section


def _reopen(folder: Path, digest: str) -> Section:
    """A section that was sent from another process, if what lies in the folder is still that section."""
    section = load(folder)
    if section.digest != digest:
        raise BadInput(
            f"the prepared section in {folder} has changed since the work on it began; start again, so that all of it sees the same data"
        )
    return section
