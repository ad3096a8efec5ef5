"""The Section: one tissue section with its spots, counts and image tiles."""

import dataclasses
import hashlib
import json
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float32, Int32, UInt8
from PIL import Image
from scipy.sparse import csr_matrix

from compendium.errors import BadInput, about, one_line
from compendium.storage import atomic_folder

if TYPE_CHECKING:
    from anndata import AnnData

NO_LABEL = ""
# Of tiles in µm. Where Pillow shrinks, it widens the kernel, so that nothing is aliased.
RESAMPLING = Image.Resampling.BICUBIC
# Array -> diameter of its spots and distance of neighbouring spots in µm: the legacy array
# (Ståhl et al. 2016), which the synthetic cohort imitates, and Visium (10x Genomics).
ARRAYS = {"square": (100.0, 200.0), "hexagonal": (55.0, 100.0)}
# Tables of positions: of Space Ranger 2 and later; of earlier versions, without a header.
SPACE_RANGER = ("tissue_positions.csv", "tissue_positions_list.csv")
ARRAY_FACTS = ("array", "spot_um", "spot_pitch_um")
# Fields that section.json holds; the digest is added when a section is saved.
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
    *ARRAY_FACTS,
)
ARRAY_FIELDS = ("genes", "spots", "grid", "pixels", "thumbnail", "labels")  # that arrays.npz holds
TILES = "patches.npy"  # under this name since the first prepared sections
KEPT_TOTALS = 4  # lists of genes whose totals a section keeps
PARTS = ("data", "indices", "indptr")  # of the counts, as they are stored


@dataclass(frozen=True, eq=False, repr=False)
class Section:
    """One tissue section. Immutable; arrays are shared, never copied.

    Parameters
    ----------
    cohort, name, patient, lab
        Where the section belongs.
    technology
        Printed on the pages; nothing is decided from it.
    genes, spots
        Names, unique.
    grid
        Array coordinates (x, y).
    pixels
        Positions in the full-resolution image (x right, y down).
    um_per_px
        µm of tissue per pixel of the image.
    counts
        UMI counts [spot gene], or None where they are hidden from a method.
    stored_tiles
        RGB tiles centred on the spots, memory-mapped, or None without an image.
    thumbnail, thumbnail_scale
        RGB of the whole image, and thumbnail px per image px.
    labels, labels_from
        Tissue class of each spot ("" where none) or None; the section that the labels were
        transferred from, "" where they are its own.
    spot_set
        "filtered" or "unfiltered" where the publisher gives both, else "".
    sources, digest
        Raw file -> checksum; identity of the content, "" until the section is saved.
    array, spot_um, spot_pitch_um
        "square" or "hexagonal"; diameter of a spot and distance of neighbouring spots in µm.

    Raises
    ------
    BadInput
        Where names, shapes, counts or array facts are such that no later step could repair them.
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
    stored_tiles: UInt8[np.ndarray, "spot px px 3"] | None = None
    thumbnail: UInt8[np.ndarray, "height width 3"] | None = None
    thumbnail_scale: float = 0.0
    labels: np.ndarray | None = None
    labels_from: str = ""
    spot_set: str = ""
    sources: dict[str, str] = field(default_factory=dict)
    digest: str = ""
    array: str = "square"
    spot_um: float = ARRAYS["square"][0]
    spot_pitch_um: float = ARRAYS["square"][1]

    def __post_init__(self) -> None:
        with about(self.where):
            self._check_names()
            self._check_array()
            if self.counts is not None:
                self._check_counts()

    def _check_names(self) -> None:
        for what, names in (("spot", self.spots), ("gene", self.genes)):
            if wrong := [name for name in names if not name or name != name.strip()]:
                mend = "give each a name without spaces around it"
                raise BadInput(f"{str(wrong[0])!r} is no name of a {what}; {mend}")
            check_once(what, names, "the section")
        for what in ("grid", "pixels", "stored_tiles", "labels"):
            array = getattr(self, what)
            if array is not None and len(array) != len(self):
                rows = f"{len(array)} rows of {what} for {len(self)} spots"
                raise BadInput(f"{rows}; both must list the same spots")

    def _check_array(self) -> None:
        if self.array not in ARRAYS:
            raise BadInput(f"unknown array {self.array!r}; give {' or '.join(ARRAYS)}")
        for what in ("spot_um", "spot_pitch_um"):
            if not 0 < getattr(self, what) < np.inf:
                raise BadInput(f"{what} is {getattr(self, what)}; give a number of µm above 0")

    def _check_counts(self) -> None:
        expected = (len(self), len(self.genes))
        if self.counts.shape != expected:
            size = f"({expected[0]} spots, {expected[1]} genes)"
            raise BadInput(f"counts are {self.counts.shape}, expected {size}")
        if len(wrong := self.counts.data[no_counts(self.counts.data)]):
            what = f"{wrong[0]:.8g}, which is {fault_of(wrong[0])}"
            raise BadInput(f"counts contain {what}; give raw UMI counts")

    def __len__(self) -> int:
        return len(self.spots)

    def __repr__(self) -> str:
        image = (
            "no image" if self.stored_tiles is None else f"{self.stored_tiles.shape[1]} px tiles"
        )
        size = f"{len(self)} spots, {len(self.genes)} genes, {image}"
        return f"<Section {self.cohort}/{self.name}: patient {self.patient}, {size}>"

    @property
    def where(self) -> str:
        """The section as messages name it."""
        return f"{self.cohort} section {self.name}"

    @property
    def labels_line(self) -> str:
        """Whose the labels are, as pages print it; "" where they are the section's own."""
        other = self.labels_from
        return f"transferred from the adjacent section {other}" if other else ""

    def __reduce__(self) -> tuple:
        """Send a stored section as its folder; a changed copy (dataclasses.replace) goes whole."""
        if folder := getattr(self, "_folder", None):
            return _reopen, (folder, self.digest)
        return Section, tuple(getattr(self, each.name) for each in dataclasses.fields(self))

    @classmethod
    def from_anndata(
        cls,
        adata: "AnnData",
        image: Path | UInt8[np.ndarray, "height width 3"] | None = None,
        tile_px: int = 224,
        label_column: str = "label",
        **stated: Any,
    ) -> "Section":
        """Make a section of an AnnData object laid out as scanpy and squidpy lay out Visium.

        Inverse of `to_anndata` in all but the tiles, which are cut from `image`.

        Parameters
        ----------
        adata
            Counts in `layers["counts"]` or else in `X`, positions in px in `obsm["spatial"]`.
            Array positions in `obs` (`array_col`, `array_row`) are found from these if absent.
        image
            The full-resolution image, or its file; without it the section has no tiles.
        tile_px
            Side of the tiles in px of the image.
        label_column
            Column of `obs` with the tissue classes; it may be absent.
        **stated
            Fields of the section; they take precedence over what `adata` states.

        Raises
        ------
        BadInput
            Where counts are no integers, or positions or the scale are missing.
        """
        from compendium.data.readers.anndata_file import to_section

        return to_section(adata, image, tile_px, label_column, stated)

    def to_anndata(self) -> "AnnData":
        """Return the counts as AnnData; see `compendium.data.export.to_anndata`."""
        from compendium.data.export import to_anndata

        return to_anndata(self)

    def without_counts(self) -> "Section":
        """Return the section as a method sees it at prediction: without counts and labels."""
        return dataclasses.replace(self, counts=None, labels=None)

    def columns(self, genes: list[str]) -> list[int]:
        """Return the columns of the counts of the named genes; BadInput where one is missing."""
        column = self._column
        if missing := [gene for gene in genes if gene not in column]:
            wrong = f"no counts for {len(missing)} genes of the panel, first {missing[0]}"
            raise BadInput(f"{self.where}: {wrong}; choose genes that every section has")
        return [column[gene] for gene in genes]

    @cached_property
    def _column(self) -> dict[str, int]:
        return {gene: i for i, gene in enumerate(self.genes.tolist())}

    @cached_property
    def gene_set(self) -> frozenset[str]:
        """Names of all genes."""
        return frozenset(self._column)

    @cached_property
    def counts_digest(self) -> str:
        """Checksum that tells counts apart, of a section with changed counts too."""
        if getattr(self, "_folder", None):
            return self.digest
        stated = hashlib.sha256("\n".join(self._column).encode())
        for part in PARTS:
            stated.update(np.ascontiguousarray(getattr(self.counts, part)))
        return stated.hexdigest()

    @cached_property
    def _totals(self) -> dict[tuple[str, ...], Float32[np.ndarray, "spot"]]:
        return {}

    def matrix(self, genes: list[str]) -> Float32[np.ndarray, "spot gene"]:
        """Return dense counts of the named genes, in their order; BadInput where one is missing."""
        return self.counts[:, self.columns(genes)].toarray().astype(np.float32)

    def totals(self, genes: list[str]) -> Float32[np.ndarray, "spot"]:
        """Return the UMI total of each spot over the named genes; it must not be written to."""
        known, key = self._totals, tuple(genes)
        if key not in known:
            if len(known) == KEPT_TOTALS:
                del known[next(iter(known))]
            chosen = np.isin(self.genes, genes).astype(np.float64)
            known[key] = np.asarray(self.counts @ chosen, dtype=np.float32)
            known[key].flags.writeable = False
        return known[key]

    def slide(self) -> UInt8[np.ndarray, "height width 3"]:
        """Return the thumbnail; BadInput where there is none."""
        return self._imaged(self.thumbnail)

    def side(self, px: int, um: float = 0.0) -> int:
        """Return the width of a tile in px of the image: `px`, or with `um` that many µm."""
        return round(um / self.um_per_px) if um else px

    def tiles(
        self, px: int, um: float = 0.0, rows: slice = slice(None)
    ) -> UInt8[np.ndarray, "spot px px 3"]:
        """Cut the centres of the stored tiles.

        Parameters
        ----------
        px
            Side of a tile in px; without `um` the tile is a view of the stored tile.
        um
            Side of a tile in µm of tissue, resampled to `px` x `px`.
        rows
            Of which spots.

        Raises
        ------
        BadInput
            Where there is no image, or the stored tiles are smaller than the tile.
        """
        stored, side = self._imaged(self.stored_tiles).shape[1], self.side(px, um)
        if not side:
            wrong = f"{um:g} µm asked for are less than half a pixel of {self.um_per_px:.3g} µm"
            raise BadInput(f"{self.where}: tiles of {wrong}; give a larger tile_um")
        if side > stored:
            asked = f"{um:g} µm, which are {side} px," if um else f"{px} px"
            mend = f"run compendium prepare {self.cohort} --tile-px {side}"
            raise BadInput(f"{self.where}: tiles of {asked} asked for, {stored} px stored; {mend}")
        start = stored // 2 - side // 2  # row side // 2 of every tile is that of the spot's centre
        tiles = self.stored_tiles[rows, start : start + side, start : start + side]
        return tiles if side == px else _resampled(tiles, px)

    def _imaged(self, part: np.ndarray | None) -> np.ndarray:
        if part is None:
            mend = "fetch its image and prepare it again, or leave the section out"
            raise BadInput(f"{self.where} has no image: {mend}")
        return part

    def save(self, folder: Path) -> "Section":
        """Write the section to `folder`, whole or not at all, and open it from there."""
        arrays = {key: array for key in ARRAY_FIELDS if (array := getattr(self, key)) is not None}
        arrays |= {f"counts_{part}": getattr(self.counts, part) for part in PARTS}
        unstated = {"spot_set": ""} | usual_array(self.sources)
        facts = {key: getattr(self, key) for key in FACTS}
        facts = {key: value for key, value in facts.items() if unstated.get(key) != value}
        with atomic_folder(folder) as aside:
            np.savez(aside / "arrays.npz", **arrays)
            if self.stored_tiles is not None:
                np.save(aside / TILES, self.stored_tiles)
            facts["digest"] = content_digest(arrays, self.stored_tiles, facts)
            (aside / "section.json").write_text(json.dumps(facts, indent=1, sort_keys=True))
        return load(folder)


def check_once(what: str, names: Iterable[str], place: str | Path) -> None:
    """Refuse names of spots or genes of which one stands more than once."""
    unique, times = np.unique(names, return_counts=True)
    if (several := times > 1).any():
        wrong = f"{what} {unique[several][0]} stands {times[several][0]} times in {place}"
        raise BadInput(f"{wrong}; keep one row or column of each {what}")


def no_counts(values: np.ndarray) -> np.ndarray:
    """Return which values are no counts: not whole, negative, or beyond int32."""
    with np.errstate(invalid="ignore"):  # what no int32 can hold is found in the comparison
        return (values.astype(np.int32) != values) | (values < 0)


def fault_of(value: np.number) -> str:
    """Say why a value is no count."""
    if np.isnan(value):
        return "no number"
    if value < 0:
        return "negative"
    return "beyond int32" if float(value).is_integer() else "no integer"


def array_facts(array: str) -> dict[str, Any]:
    """Return the fields of a Section that describe an array of the usual measures."""
    return dict(zip(ARRAY_FACTS, (array, *ARRAYS[array]), strict=True))


def usual_array(sources: Iterable[str]) -> dict[str, Any]:
    """Return the array facts that the source files imply; section.json states others only."""
    visium = any(path.endswith(SPACE_RANGER) for path in sources)
    return array_facts("hexagonal" if visium else "square")


def content_digest(arrays: dict[str, np.ndarray], tiles: np.ndarray | None, facts: dict) -> str:
    """Return the sha256 of the facts and of every array, the same on every machine."""
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    for name, array in sorted(arrays.items()) + ([] if tiles is None else [("patches", tiles)]):
        digest.update(f"{name}{array.shape}{array.dtype}".encode())
        digest.update(np.ascontiguousarray(array).data.cast("B") if array.size else b"")
    return digest.hexdigest()


def digest(sections: Iterable[Section]) -> str:
    """Return one short checksum of several sections, whatever their order."""
    lines = sorted(f"{section.name} {section.digest}" for section in sections)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def load(folder: Path) -> Section:
    """Open a prepared section; tiles stay on disk until they are read.

    Raises
    ------
    BadInput
        Where there is no section in `folder`, or a damaged one.
    """
    if not (folder / "section.json").exists():
        mend = f"run compendium prepare {folder.parent.name} --sections {folder.name}"
        raise BadInput(f"no prepared section in {folder}: {mend}")
    try:
        section = _read(folder)
    except (ValueError, TypeError, KeyError, EOFError, OSError, zipfile.BadZipFile) as error:
        wrong = f"the prepared section in {folder} is damaged ({one_line(error)})"
        raise BadInput(f"{wrong}: delete the folder and prepare it again") from error
    # No field: a copy that is changed must not pass for what lies there.
    object.__setattr__(section, "_folder", folder)
    return section


def _read(folder: Path) -> Section:
    facts = json.loads((folder / "section.json").read_text())
    with (folder / "arrays.npz").open("rb") as file, np.load(file, allow_pickle=False) as stored:
        arrays = dict(stored)
    path = folder / TILES
    tiles = np.load(path, mmap_mode="r") if path.exists() else None
    parts = tuple(arrays.pop(f"counts_{part}") for part in PARTS)
    counts = csr_matrix(parts, shape=(len(arrays["spots"]), len(arrays["genes"])))
    facts = usual_array(facts["sources"]) | facts
    return Section(counts=counts, stored_tiles=tiles, **arrays, **facts)


def _reopen(folder: Path, digest: str) -> Section:
    """Open a section that another process sent, if the folder still contains that section."""
    section = load(folder)
    if section.digest != digest:
        wrong = f"the prepared section in {folder} has changed since the work on it began"
        raise BadInput(f"{wrong}; start again, so that all of it sees the same data")
    return section


def _resampled(
    tiles: UInt8[np.ndarray, "spot side side 3"], px: int
) -> UInt8[np.ndarray, "spot {px} {px} 3"]:
    resized = [Image.fromarray(tile).resize((px, px), RESAMPLING) for tile in tiles]
    return np.stack([np.asarray(tile) for tile in resized])
