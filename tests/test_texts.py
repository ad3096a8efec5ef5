"""YAML files that people write: read as they stand, or refused with the line of the mistake."""

import datetime

import pytest

from compendium.errors import BadInput
from compendium.texts import read_yaml


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"a: 1\nb: 2\na: 3\n", 3),
        (b"s:\n  a: {x: 1,\n      x: 2}\n", 3),
        (b"a: 1\nb: [2\nc: 3\n", 3),
        (b"a: 1\n\tb: 2\n", 2),
        (b"a: 1\nb: 2\nc: \xff\n", 3),
        ("ä: 1\nb: \u0007\n".encode(), 2),
        (b"a: 1\n? [x]\n: 2\n", 2),
        (b"a: 1\nb: !mine 2\n", 2),
        (b"a: 1\nb: 2023-13-01\n", 2),
        (b"a: 1\n---\nb: 2\n", 2),
    ],
)
def test_what_is_no_yaml_is_refused_with_its_line(tmp_path, content, line):
    (tmp_path / "a.yaml").write_bytes(content)
    with pytest.raises(BadInput) as refused:
        read_yaml(tmp_path / "a.yaml")
    assert f"{tmp_path / 'a.yaml'} is not YAML (line {line}: " in str(refused.value)
    assert "\n" not in str(refused.value)


def test_values_are_read_or_the_texts_that_stand_there(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("a: 010\nb: [yes, 1.5, null]\nc: 2023-12-01\nd: ä\n", encoding="utf-8")
    values = {"a": 8, "b": [True, 1.5, None], "c": datetime.date(2023, 12, 1), "d": "ä"}
    assert read_yaml(path) == values
    texts = {"a": "010", "b": ["yes", "1.5", "null"], "c": "2023-12-01", "d": "ä"}
    assert read_yaml(path, only_texts=True) == texts


def test_a_part_taken_over_by_another_may_be_changed(tmp_path):
    (tmp_path / "a.yaml").write_text("a: &a {x: 1, y: 2}\nb: {<<: *a, x: 3}\n")
    assert read_yaml(tmp_path / "a.yaml") == {"a": {"x": 1, "y": 2}, "b": {"x": 3, "y": 2}}
