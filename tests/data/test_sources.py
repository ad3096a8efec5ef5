"""The catalogue of cohorts."""

import re
from pathlib import Path

import pytest

from compendium.data import sources
from compendium.data.prepare import prepare
from compendium.errors import BadInput


def test_her2st_has_36_sections_of_8_patients_and_154_files():
    her2st = sources.cohort("her2st")
    assert len(her2st.sections) == 36
    assert {name: section.patient for name, section in her2st.sections.items()} == {
        name: name[0] for name in her2st.sections
    }
    assert len({section.patient for section in her2st.sections.values()}) == 8
    files = her2st.catalogued()
    assert len(files) == 154 == len(set(files.values()))
    assert all(re.fullmatch("[0-9a-f]{40}", blob) for blob in files.values())
    kinds = ("/ST-cnts/", "/ST-imgs/", "/ST-spotfiles/", "/ST-cluster/")
    assert all(
        sum(kind in f"/{path}" for path in section.files) == 1
        for section in her2st.sections.values()
        for kind in kinds
    )
    assert her2st.shared_genes == "her2_common_11871"


def test_every_id_is_the_recorded_one(golden: Path):
    recorded = dict(
        reversed(line.split()) for line in (golden / "her2st-blobs.txt").read_text().splitlines()
    )
    assert sources.cohort("her2st").catalogued() == recorded


def test_block_a_is_one_donor_and_each_section_of_wu_another():
    tenx, wu = sources.cohort("tenx"), sources.cohort("wu")
    assert (
        tenx.section("block1").patient
        == tenx.section("block2").patient
        != tenx.section("FFPE").patient
    )
    assert "FFPE" in tenx.section("FFPE").technology
    assert len({section.patient for section in wu.sections.values()}) == 6 == len(wu.sections)


def test_checksums_are_of_a_known_kind_or_not_known():
    for cohort in sources.published().values():
        assert all(
            check is None
            or re.fullmatch("[0-9a-f]{40}|md5:[0-9a-f]{32}|sha256:[0-9a-f]{64}", check)
            for check in cohort.catalogued().values()
        )
    assert set(sources.cohort("tenx").catalogued().values()) == {None}
    assert sum(check is not None for check in sources.cohort("wu").catalogued().values()) == 3


def test_every_file_has_an_address_or_a_page_to_take_it_from():
    for cohort in sources.published().values():
        urls, pages = cohort.urls(), cohort.by_hand()
        assert (
            urls.keys() | pages.keys() == cohort.catalogued().keys()
            and not urls.keys() & pages.keys()
        )
        assert all(
            re.fullmatch(r"https://[\w.-]+/[\w./-]+(\?download=1)?", url)
            for url in [*urls.values(), *pages.values()]
        )


def test_addresses():
    her2st, wu, tenx = (sources.cohort(name) for name in ("her2st", "wu", "tenx"))
    assert len(her2st.urls()) == 154
    assert (
        her2st.urls(["C2"])["data/ST-cnts/C2.tsv.gz"]
        == "https://raw.githubusercontent.com/almaan/her2st/85df7411b987a7dec3feff9718b869a7a82091ec/data/ST-cnts/C2.tsv.gz"
    )
    assert (
        wu.urls(["CID4290"])["spatial.tar.gz"]
        == "https://zenodo.org/records/4739739/files/spatial.tar.gz?download=1"
    )
    assert (
        wu.by_hand(["CID4290"]) == {"images/CID4290.tif": "https://doi.org/10.48610/4fb74a9"}
        and len(wu.by_hand()) == 6
    )
    assert wu.urls() == wu.urls(["CID4290"])  # one set of archives
    folders = 3 * ["1.1.0/V1_Breast_Cancer_Block_A_Section_2"] + 3 * [
        "1.3.0/Visium_FFPE_Human_Breast_Cancer"
    ]
    assert [
        "/".join(url.split("/")[5:7]) for url in tenx.urls(["block2", "FFPE"]).values()
    ] == folders


def test_every_cohort_says_whom_to_credit():
    for name, cohort in sources.published().items():
        assert (
            cohort.name == name
            and cohort.title
            and cohort.technology
            and cohort.licence
            and cohort.attribution
        )
        assert cohort.generator or (cohort.address and cohort.citation)
        assert cohort.sections and all(
            section.name == key and section.patient and section.lab and section.technology
            for key, section in cohort.sections.items()
        )


def test_joined_cohorts_are_one_of_which_each_is_told():
    wu, tenx, demo = (sources.cohort(name) for name in ("wu", "tenx", "demo"))
    both = sources.cohort("wu+tenx")
    assert both.name == "wu+tenx" and list(both.sections) == [*wu.sections, *tenx.sections]
    assert {section.cohort for section in both.sections.values()} == {"wu", "tenx"}
    assert (
        both.attribution == f"{wu.attribution}; {tenx.attribution}"
        and both.technology == wu.technology
    )
    assert not both.generator and sources.cohort("tenx+demo").generator == demo.generator


def test_cohorts_that_cannot_be_joined_or_must_not_be(monkeypatch, home):
    twin = sources.as_cohort(
        "mine",
        {
            "title": "M",
            "technology": "T",
            "licence": "L",
            "attribution": "A",
            "sections": {"block1": {"patient": "P"}},
        },
    )
    known = sources.published() | {"mine": twin}
    monkeypatch.setattr(sources, "published", lambda: known)
    for ask, says in (
        (
            lambda: sources.cohort("tenx+mine"),
            "cohorts tenx+mine cannot be joined: tenx and mine both have a section block1",
        ),
        (lambda: sources.cohort("wu+tenxx"), "unknown cohort: tenxx; did you mean tenx"),
        (lambda: sources.cohort("wu+"), "unknown cohort: ; known"),
        (
            lambda: sources.cohort("wu+tenx").section("P9"),
            "unknown section of wu+tenx: P9; known: 1142243F",
        ),
        (
            lambda: prepare("wu+tenx"),
            "wu+tenx names 2 cohorts; fetch and prepare them one by one: wu, tenx",
        ),
        (lambda: sources.raw_folder("wu+tenx"), "one by one"),
    ):
        with pytest.raises(BadInput, match=re.escape(says)):
            ask()


def test_every_citation_is_in_the_references():
    references = (Path(sources.__file__).parents[3] / "book" / "references.bib").read_text()
    keys = set(re.findall(r"^@\w+\{([^,]+),", references, re.MULTILINE))
    assert {cohort.citation for cohort in sources.published().values()} - {""} <= keys


def test_demo_lists_the_sections_of_its_generator():
    from compendium.data.synthetic.model import SECTIONS

    demo = sources.cohort("demo")
    assert [(section.name, section.patient, section.lab) for section in demo.sections.values()] == [
        (place.name, place.patient, place.lab) for place in SECTIONS
    ]
