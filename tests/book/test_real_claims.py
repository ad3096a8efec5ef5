"""The page of what real sections say: every chapter of a profile with its claims, or named as not computed yet."""

import shutil

import pandas as pd
import pytest

from compendium import storage as disk
from compendium.book.notebook.profiles import load
from compendium.book.site import real_claims
from compendium.book.site.real_claims import brief, kept, short, whole
from compendium.book.site.render import render
from compendium.data.sources import cohort
from compendium.evaluation import results as found
from compendium.evaluation.results import Results
from compendium.evaluation.verdict import FAILS, HOLDS, UNDECIDED, Claim
from compendium.storage import CHECKOUT
from tiny_book import make_site

PROFILE = 'title: Real ones\ncohort: her2st\nbanner: ""\nchapters:\n  data-review: {}\n  gat: {}\n'


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A checkout with a profile `real` of the repository's first and last chapter, and kept tables of the first."""
    root = tmp_path / "checkout"
    for name in ("01_data_review", "08_gat"):
        (root / "notebooks" / "profiles").mkdir(parents=True, exist_ok=True)
        shutil.copyfile(
            CHECKOUT / "notebooks" / f"{name}.ipynb", root / "notebooks" / f"{name}.ipynb"
        )
    (root / "notebooks" / "profiles" / "real.yaml").write_text(PROFILE)
    (root / "data").mkdir()
    shutil.copyfile(CHECKOUT / "data" / "sources.yaml", root / "data" / "sources.yaml")
    rows = pd.DataFrame(
        [("printed", 36, 36), ("recomputed", 8, 36), ("difference", -28, 0)],
        columns=["row", "patients", "sections"],
    )
    facts = {
        "data": "her2st abc",
        "protocol": "as <is>",
        "device": "CPU",
        "records": 4,
        "stages": {},
        "commit": "commit 1234567",
    }
    found.write(
        root / "data" / "reference" / "real" / "data-review", Results({"table_1": rows}, facts)
    )
    cohort("her2st")  # read before the checkout is another one
    monkeypatch.setattr(disk, "CHECKOUT", root)
    return root


def test_a_chapter_is_told_or_named_as_not_computed(root):
    profile = load("real", root)
    tables = kept(profile, root)
    assert [bool(each) for each in tables.values()] == [True, False] and list(tables) == [
        "data-review",
        "gat",
    ]
    told = short(profile, tables, str.upper)
    assert (
        told
        == "Real ones:\n\n- DATA-REVIEW: fails here: “The numbers that Table 1 prints of this cohort are those of its files”.\n- Not computed yet on these sections: GAT.\n"
    )
    page = whole(profile, tables, str.upper)
    assert (
        "**Fails here.** Reproduced: sections; not reproduced: patients, printed 36, counted 8. (Not a question of patients.)"
        in page
    )
    assert "**GAT.** Not computed yet on these sections." in page
    assert "protocol as &lt;is&gt; · device CPU · computed at commit 1234567" in page


def test_what_so_few_patients_cannot_decide_stands_above_all(root, monkeypatch):
    monkeypatch.setattr(
        real_claims, "claims", lambda chapter, tables: {"a": Claim("It rains", HOLDS, "Wet.", 5, 2)}
    )
    profile = load("real", root)
    page = whole(profile, kept(profile, root), str.upper)
    assert (
        "Over 2 patients an exact two-sided sign test reaches p = 0.5 at best: nothing here is decided about another patient."
        in page
    )
    assert "“It rains”: **Holds here.** Wet. (5 sections of 2 patients.)" in page


def test_claims_are_grouped_by_what_is_decided_of_them():
    said = [Claim("A", UNDECIDED, ""), Claim("B", FAILS, ""), Claim("C", UNDECIDED, "")]
    assert brief(said) == "fails here: “B”; undecided here: “A”, “C”"


def test_the_directive_is_drawn_on_a_page_with_links_to_the_chapters(tmp_path, monkeypatch):
    """Of the tables that are kept with the repository, in a book whose chapters bear the repository's names."""
    site = make_site(tmp_path, "# A tiny chapter", [])
    (site / "book" / "intro.md").write_text(
        "# Welcome\n\n```{real-claims}\n```\n\n## In short\n\n```{real-claims} short\n```\n\n{cite}`one2020`\n\n```{bibliography}\n```\n"
    )
    shutil.copytree(CHECKOUT / "notebooks", site / "notebooks")
    pages = [path.stem for path in sorted((site / "notebooks").glob("*.ipynb"))]
    for page in pages:
        (site / "book" / "chapters" / f"{page}.md").write_text(f"# Page of {page}\n\nWords.\n")
    (site / "book" / "chapters" / "01_tiny.ipynb").unlink()
    (site / "book" / "_toc.yml").write_text(
        "format: jb-book\nroot: intro\nchapters:\n"
        + "".join(f"  - file: chapters/{page}\n" for page in pages)
    )
    html = render(site).with_name("intro.html").read_text()
    assert (
        html.count("reference run her2st-subset · data her2st") >= 1
        and 'class="compendium-tables"' in html
    )
    assert all(
        f'href="chapters/{page}.html"' in html and f"Page of {page}" in html for page in pages
    )
    assert "STimage, BLEEP and Hist2ST do better" in html and "{doc}" not in html
