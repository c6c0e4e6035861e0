"""The visible table of class names: what each dataset calls a class, and what this project calls it.

One row a class of the datasets with a closed list of classes, and one table of words that merges names which mean
the same. Only data: `class_names` looks things up here.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ClassName:
    """How one class is written and spoken of.

    Attributes:
        label: the canonical name, and the answer to "what is this?".
        sources: "dataset:name" for every name that a dataset's own files use.
        plural: more than one of them; no two rows share it.
        article: "a", "an" or "some".
        sensors: the sensors whose datasets label it. One word is one row, whichever sensor sees the thing.
    """

    label: str
    sources: tuple[str, ...]
    plural: str
    article: str
    sensors: tuple[str, ...]


_OPTICAL = ("optical",)
_SAR = ("sar",)
_INFRARED = ("infrared",)

# A dataset's names are compared without case, spaces, hyphens and underscores: "dior:groundtrackfield" also stands
# for "Ground Track Field" in DIOR's files. A dataset without any row here has an open vocabulary, see `tidied`.
CLASSES: tuple[ClassName, ...] = (
    # Things on the water and in the air.
    ClassName(
        "airplane",
        ("vhr10:airplane", "dior:airplane", "dota:plane"),
        "airplanes",
        "an",
        ("optical", "sar"),
    ),
    ClassName(
        "ship",
        ("vhr10:ship", "dior:ship", "dota:ship", "ssdd:ship"),
        "ships",
        "a",
        ("optical", "sar"),
    ),
    ClassName("helicopter", ("dota:helicopter",), "helicopters", "a", _OPTICAL),
    # Built things, seen from above.
    ClassName("airport", ("dior:airport", "dota:airport"), "airports", "an", _OPTICAL),
    ClassName(
        "baseball diamond",
        ("vhr10:baseball_diamond", "dior:baseballfield", "dota:baseball-diamond"),
        "baseball diamonds",
        "a",
        _OPTICAL,
    ),
    ClassName(
        "basketball court",
        ("vhr10:basketball_court", "dior:basketballcourt", "dota:basketball-court"),
        "basketball courts",
        "a",
        _OPTICAL,
    ),
    ClassName("bridge", ("vhr10:bridge", "dior:bridge", "dota:bridge"), "bridges", "a", ("optical", "sar")),
    ClassName("chimney", ("dior:chimney",), "chimneys", "a", _OPTICAL),
    ClassName("container crane", ("dota:container-crane",), "container cranes", "a", _OPTICAL),
    ClassName("dam", ("dior:dam",), "dams", "a", _OPTICAL),
    ClassName("expressway service area", ("dior:Expressway-Service-area",), "expressway service areas", "an", _OPTICAL),
    ClassName("expressway toll station", ("dior:Expressway-toll-station",), "expressway toll stations", "an", _OPTICAL),
    ClassName("golf course", ("dior:golffield", "dior:golfcourse"), "golf courses", "a", _OPTICAL),
    ClassName(
        "ground track field",
        ("vhr10:ground_track_field", "dior:groundtrackfield", "dota:ground-track-field"),
        "ground track fields",
        "a",
        _OPTICAL,
    ),
    ClassName("harbor", ("vhr10:harbor", "dior:harbor", "dota:harbor"), "harbors", "a", ("optical", "sar")),
    ClassName("helipad", ("dota:helipad",), "helipads", "a", _OPTICAL),
    ClassName("overpass", ("dior:overpass",), "overpasses", "an", _OPTICAL),
    ClassName("roundabout", ("dota:roundabout",), "roundabouts", "a", _OPTICAL),
    ClassName("soccer field", ("dota:soccer-ball-field",), "soccer fields", "a", _OPTICAL),
    ClassName("stadium", ("dior:stadium",), "stadiums", "a", _OPTICAL),
    ClassName(
        "storage tank",
        ("vhr10:storage_tank", "dior:storagetank", "dota:storage-tank"),
        "storage tanks",
        "a",
        ("optical", "sar"),
    ),
    ClassName("swimming pool", ("dota:swimming-pool",), "swimming pools", "a", _OPTICAL),
    ClassName(
        "tennis court",
        ("vhr10:tennis_court", "dior:tenniscourt", "dota:tennis-court"),
        "tennis courts",
        "a",
        _OPTICAL,
    ),
    ClassName("train station", ("dior:trainstation",), "train stations", "a", _OPTICAL),
    ClassName("windmill", ("dior:windmill",), "windmills", "a", _OPTICAL),
    # People and vehicles.
    ClassName("person", ("hituav:Person",), "people", "a", _INFRARED),
    ClassName("vehicle", ("vhr10:vehicle", "dior:vehicle"), "vehicles", "a", _OPTICAL),
    ClassName("small vehicle", ("dota:small-vehicle",), "small vehicles", "a", _OPTICAL),
    ClassName("large vehicle", ("dota:large-vehicle",), "large vehicles", "a", _OPTICAL),
    ClassName("car", ("hituav:Car",), "cars", "a", ("infrared", "sar")),
    ClassName("bicycle", ("hituav:Bicycle",), "bicycles", "a", _INFRARED),
    ClassName("other vehicle", ("hituav:OtherVehicle",), "other vehicles", "some", _INFRARED),
    # Types of civil aircraft.
    ClassName("a220", ("sar_acd:A220",), "a220s", "an", _SAR),
    ClassName("a320/a321", ("sar_acd:A320321",), "a320/a321s", "an", _SAR),
    ClassName("a330", ("sar_acd:A330",), "a330s", "an", _SAR),
    ClassName("arj21", ("sar_acd:ARJ21",), "arj21s", "an", _SAR),
    ClassName("boeing 737", ("sar_acd:Boeing737",), "boeing 737s", "a", _SAR),
    ClassName("boeing 787", ("sar_acd:Boeing787",), "boeing 787s", "a", _SAR),
    # Types of military vehicles.
    ClassName("2s1", ("mstar:2S1",), "2s1s", "a", _SAR),
    ClassName("bmp2", ("mstar:BMP2",), "bmp2s", "a", _SAR),
    ClassName("brdm 2", ("mstar:BRDM_2",), "brdm 2s", "a", _SAR),
    ClassName("btr 60", ("mstar:BTR_60",), "btr 60s", "a", _SAR),
    ClassName("btr 70", ("mstar:BTR70",), "btr 70s", "a", _SAR),
    ClassName("d7", ("mstar:D7",), "d7s", "a", _SAR),
    ClassName("t62", ("mstar:T62",), "t62s", "a", _SAR),
    ClassName("t72", ("mstar:T72",), "t72s", "a", _SAR),
    ClassName("zil131", ("mstar:ZIL131",), "zil131s", "a", _SAR),
    ClassName("zsu 23 4", ("mstar:ZSU_23_4",), "zsu 23 4s", "a", _SAR),
)

# How many images of the training splits of the first six sets show a class, a sensor. A class that is not here has
# none, and the "no" questions of those six sets never ask about it; the order decides which class a draw gives.
NUM_IMAGES: dict[str, dict[str, int]] = {
    "optical": {
        "airplane": 62,
        "ship": 39,
        "storage tank": 17,
        "baseball diamond": 125,
        "tennis court": 77,
        "basketball court": 64,
        "ground track field": 111,
        "harbor": 20,
        "bridge": 46,
        "vehicle": 59,
    },
    "sar": {
        "ship": 836,
        "a220": 104,
        "a320/a321": 103,
        "a330": 103,
        "arj21": 103,
        "boeing 737": 103,
        "boeing 787": 102,
        "2s1": 69,
        "bmp2": 22,
        "brdm 2": 68,
        "btr 60": 68,
        "btr 70": 69,
        "d7": 69,
        "t62": 69,
        "t72": 22,
        "zil131": 69,
        "zsu 23 4": 69,
    },
    "infrared": {"person": 856, "car": 736, "bicycle": 246, "other vehicle": 79},
}

# Open vocabularies: other words for the same thing, all of them tidied. Only words that mean the same in every
# picture; a kind of a thing ("truck", "small vehicle", "sailboat") stays what its dataset calls it.
SYNONYMS: dict[str, str] = {
    "aeroplane": "airplane",
    "air plane": "airplane",
    "aircraft": "airplane",
    "plane": "airplane",
    "automobile": "car",
    "baseball field": "baseball diamond",
    "bike": "bicycle",
    "cell phone": "mobile phone",
    "cellphone": "mobile phone",
    "chopper": "helicopter",
    "couch": "sofa",
    "fridge": "refrigerator",
    "golf field": "golf course",
    "harbour": "harbor",
    "human": "person",
    "lorry": "truck",
    "motor bike": "motorcycle",
    "motorbike": "motorcycle",
    "motor cycle": "motorcycle",
    "oil tank": "storage tank",
    "pedestrian": "person",
    "railway station": "train station",
    "soccer ball field": "soccer field",
    "stop light": "traffic light",
    "stoplight": "traffic light",
    "television": "tv",
    "television set": "tv",
    "tyre": "tire",
    "vessel": "ship",
}

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
