"""Seurat's corrected counts: either orientation, the section's order.

There is one line for every file that is something else.
"""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from compendium.data.targets.seurat import with_corrected_counts
from compendium.data.targets.transforms import fit_target
from conftest import tiny_section
from raw_files import refusal

SECTION = tiny_section()


@pytest.fixture
def table() -> pd.DataFrame:
    """Corrected counts, genes x spots as R writes them: other order, two genes left out."""
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        rng.poisson(4, (10, 24)),
        index=rng.permutation(SECTION.genes[:10]),
        columns=rng.permutation(SECTION.spots),
    )


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("name", ["sct.csv", "sct.csv.gz"])
def test_counts_and_genes_are_the_files_whichever_way_it_lies(table, tmp_path, turned, name):
    (table.T if turned else table).to_csv(tmp_path / name, quoting=1)
    section = with_corrected_counts(SECTION, tmp_path / name)
    assert list(section.genes) == list(table.index)
    assert list(section.spots) == list(SECTION.spots)
    np.testing.assert_array_equal(section.counts.toarray(), table[SECTION.spots].to_numpy().T)
    assert section.stored_tiles is SECTION.stored_tiles
    assert section.digest not in ("", SECTION.digest)
    assert name in section.sources


@pytest.mark.parametrize("turned", [False, True])
def test_a_spot_and_a_gene_called_na_are_read_like_any_other(table, tmp_path, turned):
    spot, gene = table.columns[3], table.index[2]
    named = dataclasses.replace(
        SECTION,
        spots=np.where(SECTION.spots == spot, "NA", SECTION.spots),
        genes=np.where(SECTION.genes == gene, "nan", SECTION.genes),
    )
    table = table.rename(columns={spot: "NA"}, index={gene: "nan"})
    (table.T if turned else table).to_csv(tmp_path / "sct.csv")
    found = with_corrected_counts(named, tmp_path / "sct.csv")
    assert list(found.genes) == list(table.index)
    np.testing.assert_array_equal(found.counts.toarray(), table[named.spots].to_numpy().T)


def test_other_counts_make_another_section(table, tmp_path):
    digests = set()
    for step in (0, 1):
        (table + step).to_csv(tmp_path / "sct.csv")
        digests.add(with_corrected_counts(SECTION, tmp_path / "sct.csv").digest)
    assert len(digests) == 2


def test_a_target_is_fitted_on_them(table, tmp_path):
    table.to_csv(tmp_path / "sct.csv")
    section = with_corrected_counts(SECTION, tmp_path / "sct.csv")
    genes = list(table.index[:3])
    target = fit_target("log1p", genes, [section], list(section.genes))
    np.testing.assert_allclose(
        target(section), np.log1p(table.loc[genes, SECTION.spots].to_numpy().T), rtol=1e-6
    )


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (
            lambda t: t.rename(columns=lambda name: f"X{name}"),
            "neither rows nor columns are named after spots",
        ),
        (
            lambda t: t.drop(columns=["0x0", "1x0"]),
            "2 of the 24 spots of tiny section S1 are missing",
        ),
        (lambda t: t.assign(other=1), "1 spots are not of tiny section S1, first other"),
        (lambda t: t.rename(index={"G3": "G.3"}), "1 genes are not of tiny section S1, first G.3"),
        (lambda t: pd.concat([t, t.iloc[:1]]), "stands 2 times"),
        (lambda t: np.log1p(t), "give the counts layer"),
        (lambda t: t - 20, "give the counts layer"),
        (lambda t: t.mask(t > 6), "give the counts layer"),
        (lambda t: t.astype(str) + " UMI", "give the counts layer"),
    ],
)
def test_what_is_no_table_of_the_sections_corrected_counts_is_refused(
    table, tmp_path, damage, says
):
    damage(table).to_csv(tmp_path / "sct.csv")
    message = refusal(lambda: with_corrected_counts(SECTION, tmp_path / "sct.csv"))
    assert says in message
    assert "sct.csv" in message


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"a,b\n1,2,3,4\n5,6,7,8,9,10\n"])
def test_a_file_that_is_no_table_is_refused(tmp_path, content):
    (tmp_path / "sct.csv").write_bytes(content)
    assert "cannot be read as a table" in refusal(
        lambda: with_corrected_counts(SECTION, tmp_path / "sct.csv")
    )


def test_a_file_that_is_not_there_says_how_to_make_it(tmp_path):
    assert "write it in R" in refusal(lambda: with_corrected_counts(SECTION, tmp_path / "sct.csv"))
