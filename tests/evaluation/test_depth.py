"""Depth alone as a prediction: the sign from training, within sections, and shallow spots."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

from compendium.data.panels import shared_genes
from compendium.evaluation.correlation import pcc
from compendium.evaluation.depth import depth_oracle, log_depth
from compendium.evaluation.scores import scoring_targets
from conftest import tiny_section

GENES = ["G0", "G1", "G2"]


def section(name: str, shares: list[float], totals: np.ndarray, tilt: float):
    """A section whose genes have a share of the total that goes with depth by `tilt`."""
    drawn = tiny_section(name)
    level = tilt * (np.log(totals) - np.log(totals).mean())
    each = np.outer(totals, shares) * np.exp(np.outer(level, [1.0, -1.0, 0.0]))
    counts = np.zeros((len(drawn), len(drawn.genes)))
    counts[:, :3] = each
    counts[:, 3] = totals - each.sum(axis=1)
    whole = sparse.csr_matrix(counts.round().astype(drawn.counts.dtype))
    return replace(drawn, counts=whole)


TOTALS = np.geomspace(200, 4000, 24)


def test_the_sign_is_that_of_training_within_sections():
    shallow = section("S1", [0.3, 0.1, 0.2], TOTALS / 4, 0.3)
    deep = section("S2", [0.1, 0.3, 0.2], TOTALS * 4, 0.3)
    test = section("S3", [0.2, 0.2, 0.2], TOTALS, 0.3)
    targets = scoring_targets(GENES, [shallow, deep], [shallow, deep, test])
    table = depth_oracle(test, [shallow, deep], targets).set_index(["target", "gene"])
    assert set(table.index.get_level_values("target")) == {"wide", "pearson"}
    depth = table["depth"]
    assert depth["wide", "G0"] > 0.95 and depth["wide", "G1"] > 0.95, "over sections it would turn"
    against = section("S4", [0.2, 0.2, 0.2], TOTALS, -0.3)
    targets = scoring_targets(GENES, [shallow, deep], [shallow, deep, against])
    table = depth_oracle(against, [shallow, deep], targets).set_index(["target", "gene"])
    assert table["depth"]["wide", "G0"] < -0.95, "nothing is taken from the test section"
    assert table["depth"]["pearson", "G0"] < -0.5


def test_it_is_scored_again_without_the_shallowest_spots():
    train, drawn = tiny_section("S1"), tiny_section("S2", seed=4)
    counts = drawn.counts.tolil()
    counts[5] = 0
    test = replace(drawn, counts=counts.tocsr())
    targets = scoring_targets(GENES, [train], [train, test])
    depth = log_depth(test, shared_genes([train, test]))
    assert depth[5] == 0 == depth.min(), "an empty spot has T = 1"
    table = depth_oracle(test, [train], targets)
    row = table[table["target"] == "wide"].iloc[0]
    kept = np.arange(len(test)) != 5
    measured = targets["wide"](test)[:, :1]
    expected = [abs(pcc(depth[on, None], measured[on]).item()) for on in (slice(None), kept)]
    found = row[["depth", "depth_without_lowest"]].astype(float).abs()
    assert found.tolist() == pytest.approx(expected)
    assert expected[0] > expected[1] + 0.1
