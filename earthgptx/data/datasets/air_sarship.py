"""AIR-SARShip-2.0: ships in SAR images of Gaofen-3, 16 bits a pixel.

The release states no split: images are drawn by their number, 8 of 10 to train, 1 to val and 1 to test.

Size: 300 images of 1000 x 1000 pixels, at 1 and 3 m; 2,040 ships as SARDet-100K counts them.
Classes: ship.
Layout: AIR-SARShip-2.0/ with AIR-SARShip-2.0-data/*.tiff (16 bits, one band) and AIR-SARShip-2.0-xml/*.xml: objects of
    a possibleresult with the name, and points, a closed ring of ``x,y`` around the box. The two inner folders are
    confirmed by other readers, the outer one is ours.
Terms: not stated; cite the paper.
Citation: Sun, Wang, Sun, Diao, Zhang, Fu, "AIR-SARShip-1.0: High-resolution SAR Ship Detection Dataset", Journal of
    Radars 8 (2019).
Home: https://radars.ac.cn/web/data/getData?dataType=SARDataset_en&pageType=en
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from xml.etree.ElementTree import Element

from earthgptx.data.annotation_file import image_size
from earthgptx.data.datasets.class_names import canonical
from earthgptx.data.datasets.split_rule import drawn_split
from earthgptx.data.formats import voc
from earthgptx.data.formats.pairing import Pictures, files_by_name
from earthgptx.data.formats.placement import numbers, outlined_object
from earthgptx.data.quarantine import OnBroken, refuse, setting_aside
from earthgptx.data.sample import LabelledImage, LabelledObject
from earthgptx.shapes import Polygon

_NAME = "air_sarship"
SPLIT_PATHS = ("AIR-SARShip-2.0/AIR-SARShip-2.0-xml",)  # every split is drawn from the same folder


def read(root: Path, split: str, on_broken: OnBroken = refuse) -> Iterator[LabelledImage]:
    """The split's images; `root` is the folder that holds ``AIR-SARShip-2.0``."""
    folder = root / "AIR-SARShip-2.0"
    files = files_by_name(folder / "AIR-SARShip-2.0-xml", ".xml", dataset=_NAME, on_broken=on_broken)
    pictures = Pictures(folder / "AIR-SARShip-2.0-data", _NAME, on_broken)
    for name, path in files.items():
        if drawn_split(name) != split:
            continue
        image: LabelledImage | None = None
        with setting_aside(_NAME, str(path), on_broken):
            elements = list(voc.xml_root(path).iter("object"))
            picture = pictures.of(name)
            width, height = image_size(picture)
            image = LabelledImage(
                id=f"{_NAME}/{split}/{name}",
                path=picture,
                dataset=_NAME,
                sensor="sar",
                width=width,
                height=height,
            )
        if image is None:
            continue
        objects = []
        for number, element in enumerate(elements, start=1):
            with setting_aside(_NAME, f"{path} object {number}", on_broken):
                objects.append(_object(element, image.width, image.height))
        yield replace(image, objects=tuple(objects))


def _object(element: Element, width: int, height: int) -> LabelledObject:
    """The object of one element; its ring is a box, upright or turned, and no outline."""
    label = canonical(_NAME, (element.findtext("possibleresult/name") or "").strip())
    ring = [_point(point.text or "") for point in element.findall("points/point")]
    found = outlined_object([ring], label, width, height)
    (outline,) = found.polygons
    return LabelledObject(box=found.box, label=label, rotated=None if _is_upright(outline) else outline)


def _point(text: str) -> tuple[float, float]:
    x, y = numbers(text.split(","), 2, "a point of x,y")
    return x, y


def _is_upright(ring: Polygon) -> bool:
    """Whether the ring's corners are those of its own bounds."""
    bounds = ring.bounds()
    return {x for x, _ in ring.points} <= {bounds.x0, bounds.x1} and {y for _, y in ring.points} <= {
        bounds.y0,
        bounds.y1,
    }
