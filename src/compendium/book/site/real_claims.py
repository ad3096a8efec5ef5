"""What the kept tables of real sections say of the benchmark's claims, chapter by chapter, made from them whenever the pages are built."""

from collections.abc import Callable, Iterable, Mapping
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from sphinx.util.docutils import SphinxDirective

from compendium.book.notebook import profiles
from compendium.book.notebook import tables as results
from compendium.book.run import chapters
from compendium.chapters.claims import claims
from compendium.evaluation.comparison import marks
from compendium.evaluation.results import Results
from compendium.evaluation.verdict import FAILS, FEWEST, HOLDS, PATIENTS, UNDECIDED, Claim, others

if TYPE_CHECKING:
    from docutils import nodes

RULE = (
    f"A claim about tissue is decided *here* only by rows above the floor of a result, on at least {FEWEST} sections of at least {PATIENTS} patients; else it is undecided here. "
    "Claims about files or computing time need no patients."
)
SHORT, LACKING = "short", "Not computed yet on these sections"


def kept(profile: profiles.Profile, root: Path) -> dict[str, Results | None]:
    """Chapter of the profile -> its kept tables, None where there are none, in the order of the book."""
    there = results.chapters_of(profile.name)
    return {
        name: results.reference(profile.name, name) if name in there else None
        for name in chapters.chapters(root)
        if name in profile.chapters
    }


def brief(said: Iterable[Claim]) -> str:
    """The claims of a chapter by what is decided of them: Fails here: “...”; undecided here: “...”."""
    listed = list(said)
    groups = {
        verdict: ", ".join(f"“{each.claim}”" for each in listed if each.verdict == verdict)
        for verdict in (HOLDS, FAILS, UNDECIDED)
    }
    return "; ".join(f"{verdict}: {names}" for verdict, names in groups.items() if names)


def short(
    profile: profiles.Profile, found: Mapping[str, Results | None], name: Callable[[str], str]
) -> str:
    """A list in MyST: a line for each chapter that has tables, and one that names the others. name: chapter -> how it is called."""
    lines = [
        f"- {name(chapter)}: {brief(claims(chapter, tables).values())}."
        for chapter, tables in found.items()
        if tables
    ]
    lacking = ", ".join(name(chapter) for chapter, tables in found.items() if not tables)
    return (
        f"{profile.title}:\n\n"
        + "\n".join([*lines, *([f"- {LACKING}: {lacking}."] if lacking else [])])
        + "\n"
    )


def whole(
    profile: profiles.Profile, found: Mapping[str, Results | None], name: Callable[[str], str]
) -> str:
    """In MyST, for each chapter: every claim, what is decided of it and why, what that rests on, and what made the tables."""
    said = {chapter: claims(chapter, tables) for chapter, tables in found.items() if tables}
    most = max((claim.patients for each in said.values() for claim in each.values()), default=0)
    parts = [f"**{profile.title}.** {RULE} {others(most)}"]
    for chapter, tables in found.items():
        if not tables:
            parts.append(f"**{name(chapter)}.** {LACKING}.")
            continue
        lines = [
            f"- “{each.claim}”: **{each.verdict[0].upper()}{each.verdict[1:]}.** {each.why} ({each.rests}.)"
            for each in said[chapter].values()
        ]
        made = f"{results.made_from(profile.name, tables)}.{marks([], tables.facts)}"
        parts += [
            f"**{name(chapter)}**",
            "\n".join(lines),
            f'<p class="compendium-tables">{escape(made)}</p>',
        ]
    return "\n\n".join(parts) + "\n"


class RealClaimsDirective(SphinxDirective):
    """```{real-claims}``` in MyST: all claims with what they rest on; with the word `short` a line for each chapter."""

    optional_arguments = 1

    def run(self) -> "list[nodes.Node]":
        """Read at every build: tables may have been kept since."""
        self.env.note_reread()
        root, form = Path(self.env.srcdir).parent, short if SHORT in self.arguments else whole
        told = [
            form(profile, kept(profile, root), self._named)
            for profile in (profiles.load(name, root) for name in results.references())
        ]
        return self.parse_text_to_nodes("\n".join(told))

    def _named(self, chapter: str) -> str:
        """A link to a chapter's page, which bears its title."""
        return f"{{doc}}`/chapters/{chapters.find(chapter, Path(self.env.srcdir).parent).stem}`"
