"""The one table of class names: what each dataset calls a class, and what this project calls it.

Canonical names are lower-case words with spaces, as an answer would say them. How a class is spoken of (its
plural, its article, the sensors that show it) is here as well, so that no other file spells a class name.
"""

from __future__ import annotations

import random
from collections.abc import Collection
from dataclasses import dataclass

from earthgptx.errors import MalformedDataset


@dataclass(frozen=True)
class ClassName:
    """How one class is written and spoken of.

    Attributes:
        label: the canonical name, and the answer to "what is this?".
        sources: "dataset:name" for every name that a dataset's own files use.
        sensor: the sensor whose datasets label it; a class seen by two sensors has two entries.
        plural: more than one of them.
        article: "a", "an" or "some".
        num_images: how many images of the training splits show it; see `absent_label`.
    """

    label: str
    sources: tuple[str, ...]
    sensor: str
    plural: str
    article: str = "a"
    num_images: int = 1


CLASSES: tuple[ClassName, ...] = (
    ClassName("airplane", ("vhr10:airplane",), "optical", "airplanes", "an", num_images=62),
    ClassName("ship", ("vhr10:ship",), "optical", "ships", num_images=39),
    ClassName("storage tank", ("vhr10:storage_tank",), "optical", "storage tanks", num_images=17),
    ClassName("baseball diamond", ("vhr10:baseball_diamond",), "optical", "baseball diamonds", num_images=125),
    ClassName("tennis court", ("vhr10:tennis_court",), "optical", "tennis courts", num_images=77),
    ClassName("basketball court", ("vhr10:basketball_court",), "optical", "basketball courts", num_images=64),
    ClassName("ground track field", ("vhr10:ground_track_field",), "optical", "ground track fields", num_images=111),
    ClassName("harbor", ("vhr10:harbor",), "optical", "harbors", num_images=20),
    ClassName("bridge", ("vhr10:bridge",), "optical", "bridges", num_images=46),
    ClassName("vehicle", ("vhr10:vehicle",), "optical", "vehicles", num_images=59),
    ClassName("ship", ("ssdd:ship",), "sar", "ships", num_images=836),
    ClassName("person", ("hituav:Person",), "infrared", "people", num_images=856),
    ClassName("car", ("hituav:Car",), "infrared", "cars", num_images=736),
    ClassName("bicycle", ("hituav:Bicycle",), "infrared", "bicycles", num_images=246),
    ClassName("other vehicle", ("hituav:OtherVehicle",), "infrared", "other vehicles", "some", num_images=79),
    ClassName("a220", ("sar_acd:A220",), "sar", "a220s", "an", num_images=104),
    ClassName("a320/a321", ("sar_acd:A320321",), "sar", "a320/a321s", "an", num_images=103),
    ClassName("a330", ("sar_acd:A330",), "sar", "a330s", "an", num_images=103),
    ClassName("arj21", ("sar_acd:ARJ21",), "sar", "arj21s", "an", num_images=103),
    ClassName("boeing 737", ("sar_acd:Boeing737",), "sar", "boeing 737s", num_images=103),
    ClassName("boeing 787", ("sar_acd:Boeing787",), "sar", "boeing 787s", num_images=102),
    ClassName("2s1", ("mstar:2S1",), "sar", "2s1s", num_images=69),
    ClassName("bmp2", ("mstar:BMP2",), "sar", "bmp2s", num_images=22),
    ClassName("brdm 2", ("mstar:BRDM_2",), "sar", "brdm 2s", num_images=68),
    ClassName("btr 60", ("mstar:BTR_60",), "sar", "btr 60s", num_images=68),
    ClassName("btr 70", ("mstar:BTR70",), "sar", "btr 70s", num_images=69),
    ClassName("d7", ("mstar:D7",), "sar", "d7s", num_images=69),
    ClassName("t62", ("mstar:T62",), "sar", "t62s", num_images=69),
    ClassName("t72", ("mstar:T72",), "sar", "t72s", num_images=22),
    ClassName("zil131", ("mstar:ZIL131",), "sar", "zil131s", num_images=69),
    ClassName("zsu 23 4", ("mstar:ZSU_23_4",), "sar", "zsu 23 4s", num_images=69),
)

# RSICD writes a scene's class as one word at the head of the file name.
SCENES: dict[str, str] = {
    "airport": "airport",
    "bareland": "bare land",
    "baseballfield": "baseball field",
    "beach": "beach",
    "bridge": "bridge",
    "center": "center",
    "church": "church",
    "commercial": "commercial area",
    "denseresidential": "dense residential",
    "desert": "desert",
    "farmland": "farmland",
    "forest": "forest",
    "industrial": "industrial area",
    "meadow": "meadow",
    "mediumresidential": "medium residential",
    "mountain": "mountain",
    "park": "park",
    "parking": "parking lot",
    "playground": "playground",
    "pond": "pond",
    "port": "port",
    "railwaystation": "railway station",
    "resort": "resort",
    "river": "river",
    "school": "school",
    "sparseresidential": "sparse residential",
    "square": "square",
    "stadium": "stadium",
    "storagetanks": "storage tanks",
    "viaduct": "viaduct",
}

_BY_SOURCE: dict[str, ClassName] = {source: name for name in CLASSES for source in name.sources}
_BY_LABEL: dict[str, ClassName] = {name.label: name for name in CLASSES}


def canonical(dataset: str, name: str) -> str:
    """The canonical label of a dataset's own class name.

    Raises:
        MalformedDataset: the table has no such class.
    """
    found = _BY_SOURCE.get(f"{dataset}:{name}")
    if found is None:
        known = sorted(source.split(":")[1] for source in _BY_SOURCE if source.startswith(f"{dataset}:"))
        raise MalformedDataset(f"{dataset} has no class named {name!r}; known are {', '.join(known)}.")
    return found.label


def absent_label(sensor: str, present: Collection[str], rng: random.Random) -> str | None:
    """A label of the sensor that is not among `present`: what a question with the answer "no" asks about.

    Drawn in proportion to the images that show the class, so that every class is asked about as often where
    it is as where it is not, and the name alone does not give the answer away. None where all are present.
    """
    absent = [name for name in CLASSES if name.sensor == sensor and name.label not in present]
    return rng.choices(absent, weights=[name.num_images for name in absent])[0].label if absent else None


def plural(label: str) -> str:
    """The word for several, as in storage tanks; a label that the table lacks takes an s."""
    found = _BY_LABEL.get(label)
    return found.plural if found else f"{label}s"


def with_article(label: str, adjective: str = "") -> str:
    """The label with its article, as in "an airplane" and "a large airplane".

    Args:
        label: a class label.
        adjective: a word between article and label, or "".
    """
    if adjective:
        return f"{'an' if adjective[0] in 'aeiou' else 'a'} {adjective} {label}"
    found = _BY_LABEL.get(label)
    article = found.article if found else ("an" if label[:1] in tuple("aeiou") else "a")
    return f"{article} {label}"
