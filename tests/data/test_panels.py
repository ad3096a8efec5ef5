"""Gene panels: the published lists, and genes chosen on training sections and nothing else."""

import dataclasses
import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix, vstack

from compendium.data import panels
from compendium.data.panels import (
    PUBLISHED,
    chosen_among_seen,
    highly_variable,
    panel,
    published,
    shared_genes,
)
from compendium.data.section import KEPT_TOTALS, Section
from compendium.data.sources import catalogue
from compendium.storage import resource
from conftest import tiny_section
from raw_files import panel_genes, real_section, refusal

# The benchmark's twelve cancer markers.
MARKERS = "COX6C TTLL12 HSP90AB1 TFF3 ATP1A1 B2M FASN SPARC CD74 CD63 CD24 CD81"


def section_of(
    counts: np.ndarray, genes: list[str], cohort: str = "tiny", name: str = "S1"
) -> Section:
    """A counts-only section."""
    n = len(counts)
    grid = np.stack([np.arange(n), np.ones(n)], axis=1).astype(np.int32)
    return Section(
        cohort=cohort,
        name=name,
        patient="P",
        lab="L",
        technology="test",
        genes=np.array(genes),
        spots=np.array([f"{i}x1" for i in range(n)]),
        grid=grid,
        pixels=grid.astype(np.float32),
        um_per_px=1.0,
        counts=csr_matrix(counts),
    )


def varied(spots: int, genes: int, seed: int, name: str = "S1", cohort: str = "tiny") -> Section:
    """Counts whose means and dispersions both range widely over the genes."""
    rng = np.random.default_rng(seed)
    mean = rng.lognormal(0, 1.5, genes) * rng.lognormal(
        0, rng.uniform(0.05, 1.5, genes), (spots, genes)
    )
    return section_of(
        rng.poisson(mean).astype(np.int32), [f"G{i}" for i in range(genes)], cohort, name
    )


# ---- published lists


@pytest.mark.parametrize(
    ("name", "size"), [("markers_12", 12), ("hvg_769", 769), ("hvg_685", 685), ("hvg_785", 785)]
)
def test_published_lists_have_the_published_sizes(name, size):
    genes = published(name)
    assert len(genes) == len(set(genes)) == size


def test_the_markers_are_the_twelve_and_overlap_the_other_lists_as_known():
    assert published("markers_12") == tuple(MARKERS.split())
    assert {
        name: set(published("markers_12")) & set(published(name)) for name in PUBLISHED[1:]
    } == {
        "hvg_769": {"TFF3", "CD24"},
        "hvg_685": {"TFF3", "CD24"},
        "hvg_785": {"TFF3", "FASN", "SPARC", "CD74"},
    }
    assert len(set(published("hvg_785")) & set(published("hvg_769"))) == 114


def test_the_685_are_those_of_the_769_that_visium_measures():
    assert set(published("hvg_685")) < set(published("hvg_769"))
    assert [gene for gene in published("hvg_769") if gene in set(published("hvg_685"))] == list(
        published("hvg_685")
    )


def test_every_marker_is_shared_by_the_her2st_sections():
    shared = resource("genes/her2_common_11871.txt").read_text().split()
    assert len(shared) == len(set(shared)) == 11_871
    assert set(published("markers_12")) | set(published("hvg_769")) <= set(shared)


# ---- words


GENES = list(panel_genes()) + ["OTHER1", "OTHER2"]


@pytest.fixture
def train() -> list[Section]:
    rng = np.random.default_rng(2)
    return [
        section_of(
            rng.poisson(rng.lognormal(0, 1, len(GENES)), (40, len(GENES))).astype(np.int32), GENES
        )
    ]


def test_a_published_word_gives_its_genes_that_are_measured(train):
    assert panel("markers_12", train, GENES) == list(published("markers_12"))
    assert panel("markers_12", train, ["CD81", "FASN", "OTHER1"]) == ["FASN", "CD81"]


def test_all_means_the_shared_genes(train):
    assert panel("all", train, GENES) == GENES
    assert panel("all", train, GENES[5:9]) == GENES[5:9]


def test_a_union_keeps_the_order_and_no_gene_twice(train):
    chosen = highly_variable(train, 20, GENES)
    union = panel("markers_12+hvg(20)", train, GENES)
    assert union[:12] == list(published("markers_12"))
    assert union[12:] == [gene for gene in chosen if gene not in published("markers_12")]
    assert set(chosen) & set(published("markers_12"))
    assert set(panel("hvg(20)+markers_12", train, GENES)) == set(union)
    assert panel("hvg(5)+hvg(20)", train, GENES) == panel("hvg(20)", train, GENES)


def test_the_enlarged_set_is_the_union_of_each_sections_choice_and_the_markers(train):
    other = section_of(
        np.random.default_rng(5)
        .poisson(np.random.default_rng(6).lognormal(0, 1, (30, len(GENES))))
        .astype(np.int32),
        GENES,
        name="S2",
    )
    each = [set(panel("hvg_union(8)", [section], GENES)) for section in (train[0], other)]
    union = panel("markers_12+hvg_union(8)", [train[0], other], GENES)
    assert [len(chosen) for chosen in each] == [8, 8]
    assert each[0] != each[1]
    assert union[:12] == list(published("markers_12"))
    assert set(union) == each[0] | each[1] | set(published("markers_12"))
    assert len(union) == len(set(union))


def test_each_sections_choice_is_scanpys_on_its_median_depth(her2st):
    section = real_section(her2st, "C2")
    shared = shared_genes([section])
    assert set(panel("hvg_union(1000)", [section], shared)) == set(
        scanpys([section], 1000, shared, depth=None)[0]
    )


@pytest.mark.parametrize(
    "word",
    ["hvg_700", "hvg_union", "hvg(12", "hvg()", "hvg(-3)", "", "markers_12+", "markers_12,hvg(5)"],
)
def test_an_unknown_word_lists_the_known(train, word):
    message = refusal(lambda: panel(word, train, GENES))
    assert "unknown panel" in message
    assert all(name in message for name in (*PUBLISHED, "hvg(N)", "hvg_union(N)", "all"))


@pytest.mark.parametrize("word", ["hvg", "hvg_union"])
@pytest.mark.parametrize("n", [0, 33, 100_000])
def test_a_number_of_genes_out_of_range_names_the_range(train, word, n):
    message = refusal(lambda: panel(f"{word}({n})", train, GENES))
    assert f"asks for {n} of 32 " in message
    assert "give 1 to 32" in message


def test_genes_of_few_spots_are_not_chosen(train):
    """Over all training spots together, and not where the enlarged set is asked for."""
    counts = train[0].counts.toarray()
    rare = np.zeros_like(counts)
    rare[:3] = 50 * counts[:3]
    few = np.concatenate([counts[:, :20], rare[:, 20:]], axis=1)
    sections = [section_of(few, GENES), section_of(few, GENES, name="S2")]
    assert set(GENES[20:]) & set(highly_variable(sections, 20, GENES))
    assert set(panel("hvg(20)", sections, GENES)) == set(GENES[:20])
    assert (
        panel("hvg(5)", sections, GENES)
        == [gene for gene in highly_variable(sections, len(GENES), GENES) if gene in GENES[:20]][:5]
    )
    assert set(GENES[20:]) & set(panel("hvg_union(20)", sections, GENES))
    message = refusal(lambda: panel("hvg(21)", sections, GENES))
    assert "asks for 21 of 20 genes that 10% of the training spots have" in message
    rest = section_of(np.concatenate([few[:, :20], counts[:, 20:] + 1], axis=1), GENES, name="S2")
    assert len(panel("hvg(32)", [sections[0], rest], GENES)) == 32


def test_the_version_of_the_choice_is_that_of_runs_that_choose():
    parts = {"hvg(300)": True, "markers_12+hvg(5)": True, "hvg_769": False, "hvg_union(9)": False}
    assert {name: chosen_among_seen(name) for name in parts} == parts


def test_a_gene_that_one_section_lacks_is_refused_and_no_other_is_counted_for_it():
    sections = [varied(30, 12, 0), varied(30, 12, 1, "S2")]
    lacking = section_of(
        sections[1].counts.toarray()[:, :9], [f"G{i}" for i in range(9)], name="S2"
    )
    shared = list(sections[0].genes)
    assert len(panel("hvg(4)", sections, shared)) == 4
    message = refusal(lambda: panel("hvg(4)", [sections[0], lacking], shared))
    assert message.startswith("tiny section S2: ")
    assert "3 genes" in message and "G9" in message


def test_a_panel_without_overlap_is_refused():
    section = tiny_section()
    message = refusal(lambda: panel("markers_12+hvg_769", [section], list(section.genes)))
    assert "markers_12+hvg_769 shares no gene with the sections of tiny" in message
    assert "hvg(100)" in message


# ---- shared genes


def test_shared_genes_of_a_known_cohort_come_from_its_list():
    assert catalogue()["her2st"].shared_genes == "her2_common_11871"
    genes = ["COX6C", "NOT_A_GENE", "FASN", "CD24"]
    counts = np.ones((3, 4), dtype=np.int32)
    assert shared_genes([section_of(counts, genes, "her2st")]) == ["COX6C", "FASN", "CD24"]
    assert shared_genes(
        [section_of(counts, genes, "her2st"), section_of(counts[:, :2], ["FASN", "X"], "her2st")]
    ) == ["FASN"]


def test_shared_genes_of_another_cohort_are_what_its_sections_share():
    counts = np.ones((3, 3), dtype=np.int32)
    sections = [section_of(counts, ["b", "a", "c"]), section_of(counts, ["c", "b", "z"])]
    assert shared_genes(sections) == ["b", "c"]


def test_sections_that_share_no_gene_are_refused():
    counts = np.ones((3, 2), dtype=np.int32)
    sections = [
        section_of(counts, ["TP53", "ESR1"], name="one"),
        section_of(counts, ["ENSG1", "ENSG2"], name="two"),
    ]
    message = refusal(lambda: shared_genes(sections))
    assert "sections one, two of tiny share no gene" in message


def test_real_sections_share_the_cohorts_list_whichever_are_at_hand(her2st):
    one, two = real_section(her2st, "C2"), real_section(her2st, "B4")
    shared = set(resource("genes/her2_common_11871.txt").read_text().split())
    assert set(shared_genes([one])) == set(shared_genes([two, one])) == shared


# ---- highly variable genes


def scanpys(
    sections: list[Section], n: int, shared: list[str], depth: float | None = 1e4
) -> tuple[list[str], np.ndarray]:
    """Names and scores by scanpy on the same counts, normalised and logged by scanpy."""
    import anndata
    import scanpy

    columns = [pd.Index(section.genes).get_indexer(shared) for section in sections]
    data = anndata.AnnData(
        vstack([section.counts[:, where] for section, where in zip(sections, columns, strict=True)])
        .astype(np.float64)
        .tocsr()
    )
    data.var_names = shared
    scanpy.pp.normalize_total(data, target_sum=depth)
    scanpy.pp.log1p(data)
    scanpy.pp.highly_variable_genes(data, flavor="seurat", n_top_genes=n)
    return list(data.var_names[data.var["highly_variable"]]), data.var[
        "dispersions_norm"
    ].to_numpy()


def test_chosen_genes_of_two_real_sections_and_their_order_are_as_they_were(her2st):
    sections = [real_section(her2st, name) for name in ("B4", "C2")]
    chosen = panel("hvg(300)", sections, shared_genes(sections))
    assert hashlib.sha256("\n".join(chosen).encode()).hexdigest()[:16] == "bda1c51d8d684e12"
    union = panel("hvg_union(1000)", sections, shared_genes(sections))
    assert 1200 < len(union) < 2000, "two patients choose different genes and share some"


@pytest.mark.parametrize("seed", range(3))
def test_chosen_genes_are_scanpys_best_first(seed):
    sections = [varied(60, 200, seed), varied(45, 200, seed + 10)]
    shared = [f"G{i}" for i in range(199, -1, -1)]
    chosen = highly_variable(sections, 50, shared)
    names, scores = scanpys(sections, 50, shared)
    assert set(chosen) == set(names)
    assert np.all(np.diff([scores[shared.index(gene)] for gene in chosen]) <= 1e-6)


def test_the_choice_of_genes_leaves_the_number_of_threads_as_it_is():
    """Threads decide the last digits of a fit, and a worker has its share of the cores only."""
    code = (
        "import torch; from compendium.data.panels import highly_variable; "
        "from conftest import tiny_section; section = tiny_section(); "
        "highly_variable([section], 5, list(section.genes)); print(torch.get_num_threads())"
    )
    path = os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])
    environment = os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True)
    assert done.stdout.split() == [b"1"], done.stderr.decode()


def test_genes_never_seen_come_last_and_empty_spots_do_not_matter():
    section = varied(50, 40, 3)
    counts = section.counts.toarray()
    counts[:, 7] = 0
    seen = section_of(counts, list(section.genes))
    assert highly_variable([seen], 40, list(section.genes))[-1] == "G7"
    padded = section_of(np.vstack([counts, np.zeros((5, 40), np.int32)]), list(section.genes))
    assert highly_variable([padded], 20, list(section.genes)) == highly_variable(
        [seen], 20, list(section.genes)
    )


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10_000), n=st.integers(1, 30), factor=st.integers(2, 9))
def test_choice_depends_on_composition_not_on_depth_or_spot_order(seed, n, factor):
    section = varied(30, 30, seed)
    shared, counts = list(section.genes), section.counts.toarray()
    chosen = highly_variable([section], n, shared)
    assert len(set(chosen)) == n
    assert chosen == highly_variable([section], 30, shared)[:n]
    score = dict(zip(shared, scanpys([section], 1, shared)[1], strict=True))
    for same in (
        [section_of(counts * factor, shared)],
        [section_of(counts[15:], shared), section_of(counts[:15], shared)],
    ):
        assert np.allclose(
            [score[gene] for gene in highly_variable(same, n, shared)],
            [score[gene] for gene in chosen],
            atol=1e-6,
            equal_nan=True,  # genes that were never seen
        )  # equal up to ties


def test_the_test_section_has_no_say_in_the_panel():
    """As a run does it: genes shared by all sections at hand, chosen on the training sections."""
    train, test = varied(40, 60, 1, "train"), varied(40, 60, 2, "test")
    shuffled = np.random.default_rng(0).permuted(test.counts.toarray() * 50, axis=1)
    other = dataclasses.replace(test, counts=csr_matrix(shuffled))
    chosen = [
        panel("hvg(15)", [train], shared_genes([train, section])) for section in (test, other)
    ]
    assert chosen[0] == chosen[1]
    assert chosen[0] != panel("hvg(15)", [train, other], shared_genes([train, other]))


def test_genes_outside_the_shared_ones_have_no_say_in_it():
    section = varied(60, 80, 4)
    genes, counts = list(section.genes), section.counts.toarray()
    counts[:, 40:] = np.random.default_rng(0).integers(0, 900, (60, 40))
    assert highly_variable([section_of(counts, genes)], 10, genes[:40]) == highly_variable(
        [section], 10, genes[:40]
    )
    assert highly_variable([section_of(counts, genes)], 10, genes) != highly_variable(
        [section], 10, genes
    )


def test_a_choice_of_genes_is_made_once_for_the_same_counts(home, monkeypatch):
    section, made, of = varied(40, 60, 5), [], panels._order
    monkeypatch.setattr(panels, "_order", lambda *given: made.append(1) or of(*given))
    genes = list(section.genes)
    first = highly_variable([section], 20, genes)
    assert highly_variable([replace(section, name="copy")], 30, genes)[:20] == first
    assert len(made) == 1
    turned = replace(section, counts=section.counts[:, ::-1].tocsr())  # digest as before
    assert highly_variable([turned], 20, genes) != first
    highly_variable([section], 20, genes, depth=None)
    assert len(made) == 3


def test_totals_are_summed_once_and_anew_for_other_counts(monkeypatch):
    section, genes = varied(40, 60, 6), [f"G{i}" for i in range(30)]
    total = section.totals(genes)
    np.testing.assert_array_equal(total, np.asarray(section.counts[:, :30].sum(axis=1)).ravel())
    assert section.totals(genes) is total
    doubled = replace(section, counts=section.counts * 2)
    np.testing.assert_array_equal(doubled.totals(genes), 2 * total)
    with pytest.raises(ValueError, match="read-only"):
        total += 1
    for i in range(8):
        section.totals(genes[i:])
    assert len(section._totals) == KEPT_TOTALS
