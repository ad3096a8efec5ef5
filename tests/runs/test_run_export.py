"""Export of stored predictions: what is written is what the run predicted, with provenance."""

import numpy as np
import pytest

from compendium.__main__ import main
from compendium.data.prepare import open_sections, prepare
from compendium.data.splits import Split
from compendium.data.targets.transforms import REGISTRY
from compendium.runs import plan_run, run_once
from compendium.runs.export import find, prediction
from compendium.runs.store import Record
from conftest import restate
from raw_files import files_below, refusal, write_raw

NAMES = ["B4", "C2"]
SPLIT = Split("my-split", ("C2",), (), ("B4",), "patient B")


@pytest.fixture
def record(home) -> Record:
    """A finished run that predicted B4, on made-up raw files."""
    write_raw(home / "raw" / "her2st")
    sections = prepare("her2st", NAMES, 32)
    return run_once(
        plan_run(
            "her2st", SPLIT, "colour", sections=sections, panel="hvg(5)", target="log1p", tile_px=32
        ),
        sections,
        "cpu",
    )


def said(capsys, *arguments: str) -> str:
    """The one line that a refused command prints."""
    capsys.readouterr()
    assert main(list(arguments)) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n"), err[:12]) == ("", 1, "compendium: ")
    return err


def test_the_command_writes_a_prediction_with_what_made_it(record, tmp_path, capsys):
    import anndata

    out = tmp_path / "new folder" / "B4.h5ad"
    assert main(["export", "her2st", "B4", str(out), "--run", record.id]) == 0
    assert capsys.readouterr().out == f"{out}\n"
    read, (section,) = anndata.read_h5ad(out), open_sections("her2st", ["B4"])
    assert list(read.var_names) == record.genes and len(record.genes) == 5
    np.testing.assert_array_equal(read.X, record.predictions["B4"])
    np.testing.assert_array_equal(read.layers["counts"].toarray(), section.matrix(record.genes))
    np.testing.assert_array_equal(read.uns["spatial"]["B4"]["images"]["hires"], section.thumbnail)
    made = read.uns["compendium"]
    assert all(type(value) is str and value for value in made.values())
    assert (made["run"], made["line"], made["train"], made["left_out"]) == (
        record.id,
        record.facts["line"],
        "C2",
        "patient B",
    )
    assert made["target"] == "log1p: ln(1 + count)"
    assert made["device"].startswith("CPU")
    assert made["version"].startswith("compendium 0.")
    assert made["code"] == "features 1, fit 1, inputs 1, method 2, panel 2"


def test_the_command_writes_a_measured_section(record, tmp_path):
    import anndata

    assert main(["export", "her2st", "C2", str(tmp_path / "C2.h5ad")]) == 0
    read, (section,) = anndata.read_h5ad(tmp_path / "C2.h5ad"), open_sections("her2st", ["C2"])
    assert (read.X != section.counts).nnz == 0
    assert read.uns["spatial"]["C2"]["metadata"]["digest"] == section.digest
    assert "compendium" not in read.uns


def test_a_head_on_frozen_features_is_exported_as_one(home):
    write_raw(home / "raw" / "her2st")
    sections = prepare("her2st", NAMES, 32)
    words = {"panel": "hvg(5)", "encoder": "colour", "tile_px": 32, "budget": "smoke", "epochs": 1}
    annotated = prediction(
        run_once(plan_run("her2st", SPLIT, "stnet", sections=sections, **words), sections, "cpu"),
        sections[0],
    )
    assert annotated.uns["compendium"]["method"] == "ST-Net head on frozen features"


def test_a_record_of_another_version_is_one_line(record):
    restate(record.folder, run=record.facts["run"] | {"word_of_old": 1})
    assert "planned by another version of compendium" in refusal(
        lambda: prediction(find("her2st", record.id), *open_sections("her2st", ["B4"]))
    )


def test_every_target_has_a_formula():
    formulas = {name: transform.formula for name, transform in REGISTRY.items()}
    assert formulas["wide"] == "ln(1 + 1e4 count / total of the shared genes)"
    assert len(set(formulas.values())) == len(formulas)


def test_one_line_for_what_cannot_be_exported(record, home, tmp_path, capsys):
    out, run = str(tmp_path / "out" / "B4.h5ad"), ("--run", record.id)
    for identity in ("0123456789abcdef", "*", "", f"../{record.id}"):
        assert f"no run {identity!r} of cohort her2st" in said(
            capsys, "export", "her2st", "B4", out, "--run", identity
        )
    assert "holds no prediction of section C2; it has B4" in said(
        capsys, "export", "her2st", "C2", out, *run
    )
    assert "no prepared section" in said(capsys, "export", "her2st", "C3", out)
    assert "unknown section of her2st: B9" in said(capsys, "export", "her2st", "B9", out)
    assert "does not end in .h5ad" in said(
        capsys, "export", "her2st", "B4", str(tmp_path / "B4.csv"), *run
    )
    assert "is a folder" in said(capsys, "export", "her2st", "B4", str(tmp_path), *run)
    path = record.folder / "predictions.npz"
    path.write_bytes(path.read_bytes()[:-40])
    line = said(capsys, "export", "her2st", "B4", out, *run)
    assert "is damaged" in line and str(record.folder) in line and "will be made again" not in line
    assert not {path for path in files_below(tmp_path) if not path.startswith("home/")}


def test_a_prediction_of_another_version_of_the_section_is_refused(record):
    prepare("her2st", ["B4"], 48)
    assert "as it was before it was prepared anew" in refusal(
        lambda: prediction(find("her2st", record.id), *open_sections("her2st", ["B4"]))
    )
