"""The page a chapter writes: parameters, profile, figures, tables, numbers, and what made them.

The second cell of every chapter is `page = start("id-loocv", globals())`.
"""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compendium import __version__
from compendium.book.notebook import chapter_files, profiles, rerun
from compendium.book.notebook.commit import commit
from compendium.book.notebook.parameters import check, declared, given
from compendium.book.notebook.show import NOTED, publish, show, show_table
from compendium.book.notebook.tables import drawn
from compendium.data.partition import ROLES
from compendium.data.sources import cohort as listed
from compendium.evaluation.planned import PLANNED_ONLY
from compendium.machine import cores, keep_freed_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pandas import DataFrame
    from plotly.graph_objects import Figure

    from compendium.data.section import Section
    from compendium.evaluation.findings import Finding
    from compendium.evaluation.results import Results
    from compendium.evaluation.verdict import Outcome


class Choices(dict):
    """The resolved parameters: choices["gene"] and choices.gene are the same."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"no parameter {name} (known: {', '.join(self)})") from None


def start(name: str, namespace: dict[str, Any]) -> "Page":
    """Check what the notebook was run with, open its page, and publish which data it is of.

    Parameters
    ----------
    name
        Name of the chapter.
    namespace
        The notebook's globals().

    Raises
    ------
    BadInput
        There is no such chapter or profile, or a parameter is unknown or of another type.
    """
    keep_freed_memory()
    notebook = chapter_files.find(name)
    known = declared(notebook)
    values = check(known, given(namespace))
    profile = profiles.load(values["profile"])
    page = Page(name, notebook, profile, Choices(profiles.resolve(known, values, profile, name)))
    usual = profiles.resolve(known, {"profile": profile.name}, profile, name)
    page.overrides = {key: value for key, value in page.parameters.items() if value != usual[key]}
    banner = profile.banner
    if page.cohort != profile.cohort:  # the page's own
        cohort = listed(page.cohort)
        banner = f"{cohort.title}. {cohort.attribution}"
    if banner:
        _publish_banner(banner)
    return page


class Page:
    """One chapter's page.

    profile: the Profile. parameters: what this run uses (see profiles.resolve for what wins).
    overrides: those that are neither the profile's nor the notebook's own. cohort, sections: the
    chapter's own parameter of that name if it has one and it is given, else the profile's; sections
    is None for all. device: set by the chapter.
    """

    def __init__(
        self, name: str, notebook: Path, profile: profiles.Profile, parameters: Choices
    ) -> None:
        self.name, self.notebook = name, notebook
        self.profile, self.parameters = profile, parameters
        self.cohort: str = parameters.get("cohort") or profile.cohort
        self.sections: list[str] | None = parameters.get("sections") or profile.sections
        self.device = ""
        self.protocol = ""
        self.data_digest = ""
        self.overrides: dict[str, Any] = {}
        self._commit = commit(notebook.parent)
        self._began = time.monotonic()
        self._fits = 0.0  # seconds

    def results(
        self, make: "Callable[[], Results]", sections: "Sequence[str] | None" = None
    ) -> "Results":
        """The tables and facts that the page is drawn from.

        Made here where the sections lie prepared, else those of the reference run (see
        compendium.book.notebook.tables). How many stored fits they rest on is noted for the status
        page.

        Parameters
        ----------
        make
            Makes them here.
        sections
            Sections that this needs, by default those of the roles or of the page.
        """
        if PLANNED_ONLY.get():
            return make()  # ends the chapter
        by_role = [name for role in ROLES for name in self.parameters.get(role) or ()]
        needed = sections or by_role or self.sections  # a chapter may name its sections by role
        asked = (self.profile, self.name, self.parameters, self.cohort, needed)
        found, line = drawn(*asked, self._commit, make)
        if line:
            _publish_banner(line)
        facts = found.facts
        records = facts["records"]
        publish({NOTED: {"records": records}, "text/plain": f"{records} records"})
        self._fits = facts.get("seconds", 0)
        if facts["commit"] != self._commit:
            self._commit = f"computed at {facts['commit']}, drawn at {self._commit}"
        self.made_from(facts["data"].partition(" ")[2], facts["protocol"], facts["device"])
        return found

    def slide(self, name: str) -> "Section | None":
        """The section, for pictures of it; None where it is not prepared: images are not kept."""
        from compendium.data.prepare import open_sections, prepared_names

        prepared = name in prepared_names(self.cohort)
        return open_sections(self.cohort, [name])[0] if prepared else None

    def made_from(self, data_digest: str = "", protocol: str = "", device: str = "") -> None:
        """Say what the following figures rest on; words left out keep what was said before.

        The device is also noted for the status page.
        """
        self.data_digest = data_digest or self.data_digest
        self.protocol = protocol or self.protocol
        self.device = device or self.device
        if device:
            publish({NOTED: {"device": device}, "text/plain": f"computed on {device}"})

    @property
    def provenance(self) -> str:
        """Return profile, data, protocol, device, commit and version in one line."""
        other = ", ".join(f"{key} = {value}" for key, value in self.overrides.items())
        parts = [
            f"profile {self.profile.name}{other and f', except {other}'}",
            f"data {self.cohort} {self.data_digest[:10]}".strip(),
            self.protocol and f"protocol {self.protocol}",
            self.device and f"device {self.device}",
            self._commit,
            f"compendium {__version__}",
        ]
        return " · ".join(filter(None, parts))

    def show(
        self, fig: "Figure", name: str, alt: str, caption: str, data: "DataFrame", source: str = ""
    ) -> None:
        """Publish a figure (see compendium.book.notebook.show.show).

        Its provenance is this page's, or that of another `source`.
        """
        show(fig, name, alt, caption, data, source or self.provenance)

    def table(self, df: "DataFrame", name: str, caption: str, source: str = "") -> None:
        """Publish a table (see compendium.book.notebook.show.show_table).

        Its provenance is this page's, or that of another `source`.
        """
        show_table(df, name, caption, source or self.provenance)

    def findings(self, findings: "Sequence[Finding]", results: "Results") -> "dict[str, Outcome]":
        """Publish the verdicts of a chapter: a table, and each sentence for the prose.

        Parameters
        ----------
        findings
            The findings of the chapter.
        results
            Its tables.

        Returns
        -------
        The outcome of each finding by its id. The table is named "findings"; prose cites the
        sentence of a finding by the glue key `finding-ID`.
        """
        from myst_nb import glue

        from compendium.evaluation.findings import decide_all, verdict_table

        outcomes = decide_all(findings, results)
        self.table(verdict_table(findings, outcomes), "findings", "What these sections say.")
        for finding in findings:
            glue(f"finding-{finding.id}", finding.sentence(outcomes[finding.id]), display=False)
        return outcomes

    def parameters_table(self) -> None:
        """Publish the box that tells how to run this chapter again.

        How long this run took is glued as `run_time`.
        """
        from myst_nb import glue

        seconds = time.monotonic() - self._began
        glue("run_time", rerun.took(seconds, self._fits, cores()), display=False)
        box = rerun.box(self.name, self.notebook, declared(self.notebook), self.parameters)
        publish({"text/html": box, "text/plain": f"parameters: {dict(self.parameters)}"})


def _publish_banner(text: str) -> None:
    publish({"text/html": rerun.banner(text), "text/plain": text})
