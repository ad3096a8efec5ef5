"""Plan a run: resolve its parameters, and report every mistake in them in one answer."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import get_args

import torch
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from compendium.data.splits import Placed, Split, check_apart
from compendium.errors import BadInput, did_you_mean
from compendium.images import encoders
from compendium.images.features import WITHOUT_NETWORK
from compendium.images.stain.store import AS_IT_IS
from compendium.methods import Recipe, recipe
from compendium.methods.layers import ModelSpec
from compendium.methods.registry import NONE, OWN
from compendium.runs.run import PROTOCOLS, UNSTATED, Run, encoder_of, parameters_of, resolved

PATIENTS_MAY_BE_SHARED = ("section-out", "matched-within")  # rules that clean runs too may use


def plan_run(
    cohort: str, split: Split, method: str, *, sections: list[Placed], **parameters
) -> Run:
    """Resolve a run from recipe, budget, protocol and parameters, in this order.

    Controls that define their own input keep it whatever `encoder` says. On frozen features all
    methods see the same tiles and do not augment them unless `augment` is given. A method in closed
    form has one member, and full precision.

    Parameters
    ----------
    cohort, split, method
        What is fitted, and on which sections.
    sections
        Sections of the cohort, or their entries in the catalogue.
    **parameters
        Any other field of Run, or parameter of the method's architecture: by default protocol
        clean, budget laptop and seed 0. panel and encoder may be "" for those of the protocol.

    Raises
    ------
    BadInput
        If the method is unknown, or with every mistake in the parameters at once.
    """
    facts = recipe(method)
    given, mistakes = _parse(facts, split, parameters)
    asked = UNSTATED | parameters
    protocol, encoder = asked["protocol"], asked["encoder"]
    if protocol == "clean" and split.rule not in PATIENTS_MAY_BE_SHARED:
        with collected(mistakes):
            check_apart(split, sections)
    if isinstance(protocol, str) and protocol in PROTOCOLS:
        with collected(mistakes):
            encoder = encoder_of(facts, encoder, protocol)
    _refuse(method, mistakes)
    values = resolved(facts, protocol, asked["budget"], encoder, _visium(split, sections)) | given
    if "epochs" in given:
        values["steps"] = 0
    if facts.optimiser == "closed form":
        values.update(members=1, augment="none", steps=0, precision=Run.precision)
    if values["steps"]:
        values["epochs"] = 0
    values["encoder"] = encoder
    values["panel"] = asked["panel"] or PROTOCOLS[protocol]["panel"]
    if encoder == NONE:
        values["stain"] = AS_IT_IS
    model = tuple(sorted((name, values.pop(name)) for name in facts.model))
    run = Run(cohort=cohort, split=split, method=method, model=model, **values)
    _refuse(method, _cannot_be_built(run))
    return run


def _refuse(method: str, mistakes: list[str]) -> None:
    if mistakes:
        raise BadInput(f"method {method}: {'; '.join(mistakes)}")


def _visium(split: Split, sections: list[Placed]) -> bool:
    """Return whether all sections of a split have a hexagonal array."""
    names = {*split.train, *split.valid, *split.test}
    return all(section.array == "hexagonal" for section in sections if section.name in names)


def _cannot_be_built(run: Run) -> list[str]:
    """Reasons why encoder or method cannot be built, found before the first fit."""
    mistakes: list[str] = []
    if run.augment != "none" and run.encoder != OWN and dict(run.model).get("distill"):
        mistakes.append(
            "it distils views of the section and cannot train on augmented features as well;"
            " give augment=none, or distill=0"
        )
    name = recipe(run.method).encoder if run.encoder == OWN else run.encoder
    if name not in ("", NONE, *WITHOUT_NETWORK):
        with collected(mistakes):
            encoders.check(name, run.weights)
    with collected(mistakes):
        tile_px = run.tile_px if run.encoder == OWN else 0
        _build_without_numbers(run.method, run.target, tile_px, run.model)
    return mistakes


@cache
def _build_without_numbers(method: str, target: str, tile_px: int, model: tuple) -> None:
    """Let the method refuse parameters that do not fit each other (tile_px=0: frozen features)."""
    facts = recipe(method)
    with torch.device("meta"):
        spec = ModelSpec(
            genes=2,
            mean=torch.zeros(2),
            target=target,
            classes=2,
            features=0 if tile_px else 8,
            tile_px=tile_px,
            encoder=facts.encoder,
            weights=encoders.RANDOM,
        )
        facts.build(spec, **dict(model))


def _parse(facts: Recipe, split: Split, given: Mapping[str, object]) -> tuple[dict, list[str]]:
    """The parameters, an integer where a float is wanted as one, and every mistake in them."""
    mistakes = _conflicts(facts, split, given)
    model = parameters_of(facts.config, facts.optimiser == "closed form")
    try:
        return model(**given).model_dump(exclude_unset=True), mistakes
    except ValidationError as error:
        return {}, [_mistake(each, model.model_fields) for each in error.errors()] + mistakes


def _mistake(error: Mapping, fields: Mapping[str, FieldInfo]) -> str:
    name, value = error["loc"][0], error["input"]
    if error["type"] == "extra_forbidden":
        near = did_you_mean(name, fields).strip()
        return f"there is no parameter {name!r} ({near or 'known: ' + ', '.join(fields)})"
    near = did_you_mean(str(value), get_args(fields[name].annotation)).strip()
    wanted = error["msg"].removeprefix("Input should be ")
    return f"{name} is {value!r} but must be {wanted}{f' ({near})' if near else ''}"


def _conflicts(facts: Recipe, split: Split, given: Mapping[str, object]) -> list[str]:
    """Parameters that a method or a split cannot be combined with."""
    found = [
        f"{name}={given[name]} is for methods that see all spots of a section, and this one sees"
        " one spot at a time; leave it out"
        for name in ("windows", "checkpoint_activations")
        if facts.unit == "spot" and name in given and given[name] != getattr(Run, name)
    ]
    if given.get("steps") and given.get("epochs"):
        found.append(
            f"steps={given['steps']} and epochs={given['epochs']} both say how long it is trained;"
            " give one of them"
        )
    if split.match and given.get("target") == "sct":
        found.append(
            f"target=sct cannot be trained on {split.rule}, whose training sets are made equally"
            " deep: Seurat's corrected counts are of full depth; give another target or split"
        )
    return found


@contextmanager
def collected(mistakes: list[str]) -> Iterator[None]:
    """Add the mistake that the block reports to the others, and go on."""
    try:
        yield
    except BadInput as error:
        mistakes.append(str(error))
