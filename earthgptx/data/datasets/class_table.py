"""The visible table of class names: what each dataset calls a class, and what this project calls it.

One row a class of the datasets with a closed list of classes. Only data: `class_names` looks things up here, and
`synonyms` merges the names of open vocabularies.
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
        (
            "vhr10:airplane",
            "dior:airplane",
            "dota_v1:plane",
            "dota_v2:plane",
            "opt_rsvg:airplane",
            "sardet_100k:aircraft",
            "msar:飞机",
            "msar:aircraft",
        ),
        "airplanes",
        "an",
        ("optical", "sar"),
    ),
    ClassName(
        "ship",
        (
            "vhr10:ship",
            "dior:ship",
            "dota_v1:ship",
            "dota_v2:ship",
            "ssdd:ship",
            "ssdd_official:ship",
            "opt_rsvg:ship",
            "air_sarship:ship",
            "sardet_100k:ship",
            "msar:船只",
            "msar:ship",
        ),
        "ships",
        "a",
        ("optical", "sar"),
    ),
    ClassName("helicopter", ("dota_v1:helicopter", "dota_v2:helicopter"), "helicopters", "a", _OPTICAL),
    # Kinds of ships, as they are told apart at sea.
    ClassName("liner", ("sea_shipping:liner",), "liners", "a", _INFRARED),
    ClassName("bulk carrier", ("sea_shipping:bulk carrier",), "bulk carriers", "a", _INFRARED),
    ClassName("warship", ("sea_shipping:warship",), "warships", "a", _INFRARED),
    ClassName("sailboat", ("sea_shipping:sailboat",), "sailboats", "a", _INFRARED),
    ClassName("canoe", ("sea_shipping:canoe",), "canoes", "a", _INFRARED),
    ClassName("container ship", ("sea_shipping:container ship",), "container ships", "a", _INFRARED),
    ClassName("fishing boat", ("sea_shipping:fishing boat",), "fishing boats", "a", _INFRARED),
    # Built things, seen from above.
    ClassName("airport", ("dior:airport", "dota_v2:airport"), "airports", "an", _OPTICAL),
    ClassName(
        "baseball diamond",
        (
            "vhr10:baseball_diamond",
            "dior:baseballfield",
            "opt_rsvg:baseball diamond",
            "dota_v1:baseball-diamond",
            "dota_v2:baseball-diamond",
        ),
        "baseball diamonds",
        "a",
        _OPTICAL,
    ),
    ClassName(
        "basketball court",
        (
            "vhr10:basketball_court",
            "dior:basketballcourt",
            "opt_rsvg:basketball court",
            "dota_v1:basketball-court",
            "dota_v2:basketball-court",
        ),
        "basketball courts",
        "a",
        _OPTICAL,
    ),
    ClassName(
        "bridge",
        (
            "vhr10:bridge",
            "dior:bridge",
            "opt_rsvg:bridge",
            "sardet_100k:bridge",
            "msar:桥梁",
            "msar:bridge",
            "dota_v1:bridge",
            "dota_v2:bridge",
        ),
        "bridges",
        "a",
        ("optical", "sar"),
    ),
    ClassName("chimney", ("dior:chimney",), "chimneys", "a", _OPTICAL),
    ClassName(
        "container crane", ("dota_v1:container-crane", "dota_v2:container-crane"), "container cranes", "a", _OPTICAL
    ),
    ClassName("crossroad", ("opt_rsvg:crossroad",), "crossroads", "a", _OPTICAL),
    ClassName("dam", ("dior:dam",), "dams", "a", _OPTICAL),
    ClassName("expressway service area", ("dior:Expressway-Service-area",), "expressway service areas", "an", _OPTICAL),
    ClassName("expressway toll station", ("dior:Expressway-toll-station",), "expressway toll stations", "an", _OPTICAL),
    ClassName("golf course", ("dior:golffield", "dior:golfcourse"), "golf courses", "a", _OPTICAL),
    ClassName(
        "ground track field",
        (
            "vhr10:ground_track_field",
            "dior:groundtrackfield",
            "opt_rsvg:ground track field",
            "dota_v1:ground-track-field",
            "dota_v2:ground-track-field",
        ),
        "ground track fields",
        "a",
        _OPTICAL,
    ),
    ClassName(
        "harbor",
        ("vhr10:harbor", "dior:harbor", "opt_rsvg:harbor", "sardet_100k:harbor", "dota_v1:harbor", "dota_v2:harbor"),
        "harbors",
        "a",
        ("optical", "sar"),
    ),
    ClassName("helipad", ("dota_v2:helipad",), "helipads", "a", _OPTICAL),
    ClassName("overpass", ("dior:overpass",), "overpasses", "an", _OPTICAL),
    ClassName("parking lot", ("opt_rsvg:parking lot",), "parking lots", "a", _OPTICAL),
    ClassName("roundabout", ("dota_v1:roundabout", "dota_v2:roundabout"), "roundabouts", "a", _OPTICAL),
    ClassName(
        "soccer field", ("dota_v1:soccer-ball-field", "dota_v2:soccer-ball-field"), "soccer fields", "a", _OPTICAL
    ),
    ClassName("stadium", ("dior:stadium",), "stadiums", "a", _OPTICAL),
    ClassName(
        "storage tank",
        (
            "vhr10:storage_tank",
            "dior:storagetank",
            "opt_rsvg:storage tank",
            "sardet_100k:tank",
            "msar:油罐",
            "msar:oiltank",
            "dota_v1:storage-tank",
            "dota_v2:storage-tank",
        ),
        "storage tanks",
        "a",
        ("optical", "sar"),
    ),
    ClassName(
        "swimming pool",
        ("dota_v1:swimming-pool", "dota_v2:swimming-pool", "opt_rsvg:swimming pool"),
        "swimming pools",
        "a",
        _OPTICAL,
    ),
    ClassName(
        "tennis court",
        (
            "vhr10:tennis_court",
            "dior:tenniscourt",
            "opt_rsvg:tennis court",
            "dota_v1:tennis-court",
            "dota_v2:tennis-court",
        ),
        "tennis courts",
        "a",
        _OPTICAL,
    ),
    ClassName("t junction", ("opt_rsvg:T junction",), "t junctions", "a", _OPTICAL),
    ClassName("train station", ("dior:trainstation",), "train stations", "a", _OPTICAL),
    ClassName("windmill", ("dior:windmill",), "windmills", "a", _OPTICAL),
    # People and vehicles.
    ClassName("person", ("hituav:Person",), "people", "a", _INFRARED),
    ClassName("vehicle", ("vhr10:vehicle", "dior:vehicle", "opt_rsvg:vehicle"), "vehicles", "a", _OPTICAL),
    ClassName("small vehicle", ("dota_v1:small-vehicle", "dota_v2:small-vehicle"), "small vehicles", "a", _OPTICAL),
    ClassName("large vehicle", ("dota_v1:large-vehicle", "dota_v2:large-vehicle"), "large vehicles", "a", _OPTICAL),
    ClassName("car", ("hituav:Car", "sardet_100k:car"), "cars", "a", ("infrared", "sar")),
    ClassName("bicycle", ("hituav:Bicycle",), "bicycles", "a", _INFRARED),
    ClassName("other vehicle", ("hituav:OtherVehicle",), "other vehicles", "some", _INFRARED),
    # Types of civil aircraft.
    ClassName("a220", ("sar_acd:A220", "sar_aircraft:A220"), "a220s", "an", _SAR),
    ClassName("a320/a321", ("sar_acd:A320321", "sar_aircraft:A320/321"), "a320/a321s", "an", _SAR),
    ClassName("a330", ("sar_acd:A330", "sar_aircraft:A330"), "a330s", "an", _SAR),
    ClassName("arj21", ("sar_acd:ARJ21", "sar_aircraft:ARJ21"), "arj21s", "an", _SAR),
    ClassName("boeing 737", ("sar_acd:Boeing737", "sar_aircraft:Boeing737"), "boeing 737s", "a", _SAR),
    ClassName("boeing 787", ("sar_acd:Boeing787", "sar_aircraft:Boeing787"), "boeing 787s", "a", _SAR),
    ClassName("other airplane", ("sar_aircraft:other",), "other airplanes", "some", _SAR),
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
