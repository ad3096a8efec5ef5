"""What readers call augmentation families and stain maps, in figures, tables and sentences alike; the words of `augment=` and `stain=` are for programs."""

from compendium.images.augment import families as augment
from compendium.images.stain import store as stain

TITLES = {  # of stain maps; those of families are in their classes
    "reinhard": "Reinhard",
    "macenko": "Macenko",
    "vahadane": "Vahadane",
    "hed-lighter": "HED, lighter",
    "hed-light": "HED, light",
    "hed-strong": "HED, strong",
    "randstainna": "RandStainNA",
    "randstainna-laplace": "RandStainNA, Laplace",
    "randstainna-visium": "RandStainNA, Visium",
}
TINTED = {  # what each method makes of glass that is tinted; white glass stays white in all
    "Reinhard": "brightened, a trace of tint left",
    "Macenko": "stays if no darker than the guard",
    "Vahadane": "nearly white",
    "HED": "takes the factor; if darker than the guard, the offset too",
    "RandStainNA": "stays if no darker than the guard",
}


def maps() -> list[dict[str, str]]:
    """A row for each stain map: its name, the word that asks for it, which tiles it changes, what becomes of tinted glass, and the values of its fields."""
    return [
        {
            "stain map": TITLES[row["stain"]],
            "word": row["stain"],
            "changes": row["changes"],
            "tinted glass": TINTED[row["method"]],
            "parameters": row["parameters"],
        }
        for row in stain.table()
    ]


def families() -> list[dict[str, str]]:
    """A row for each augmentation family and operation: its name, the word that asks for it, parameters, and where these are from."""
    return [
        {"family": row["title"], "word": row["family"]}
        | {key: row[key] for key in ("operation", "parameters", "source")}
        for row in augment.table()
    ]
