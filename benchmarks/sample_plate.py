"""A plate of nano's answers about the demo's sample scenes: the paper's Figs. 3 and 5 on images that may be shown.

Every mark of every sample scene is asked for its class and for its mask; the cases of the plate are chosen by the rule
of `earthgptx evaluate --plate`. What the marks truly are was written down by eye, and there are no true masks: this is
a picture to look at, not a measurement. Answers lie beside the plate as predictions, which `earthgptx evaluate roc
--rescore` scores.

    python benchmarks/sample_plate.py docs/sample_plate.webp [--model nano]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import earthgptx as egx
from earthgptx.data.phrasing import usual
from earthgptx.data.sample_scenes import SAMPLE_SCENES, SampleScene, fetch_sample_scenes, rendered_scene
from earthgptx.evaluation.cases import judge, spread
from earthgptx.evaluation.pictures import plate
from earthgptx.evaluation.prediction_files import write_predictions
from earthgptx.evaluation.predictions import Prediction, RegionPrediction
from earthgptx.inference.assistant import Assistant, Question
from earthgptx.shapes import Mask

COLUMNS = 6


def asked(assistant: Assistant, sample: SampleScene, folder: Path) -> list[Prediction]:
    """One prediction a mark of a scene, its class and its mask together; all marks are asked about at once."""
    scene = egx.Scene.open(folder / sample.file, sensor=sample.sensor)
    session, marks = assistant.look(scene), tuple(one.mark for one in sample.marks)
    words = (usual("roc"), usual("segment_region").format(regions="each marked region"))
    named, segmented = assistant.answer([Question(session=session, text=text, marks=marks) for text in words])
    labels = {region.number: region for region in named.regions}
    masks = {mask.region: Mask.from_array(mask.array) for mask in reversed(segmented.masks)}
    found = []
    for number, one in enumerate(sample.marks, start=1):
        said = labels.get(number)
        region = RegionPrediction(
            index=number - 1,
            truth=one.truth,
            label=said.label if said else None,
            confidence=said.confidence if said else 0.0,
            mask=masks.get(number),
            mark=one.mark,
        )
        key, size = f"{sample.name}:{number - 1}", (scene.height, scene.width)
        text = f"<Region 1>: {said.label}" if said else ""
        found.append(Prediction(key, "sample scenes", sample.sensor, text, (region,), (), words[0], sample.file, size))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("plate", type=Path, help="the picture; predictions lie beside it")
    parser.add_argument("--model", default="nano")
    arguments = parser.parse_args()
    folder = fetch_sample_scenes()
    assistant = egx.load(arguments.model)
    samples = (*SAMPLE_SCENES, rendered_scene(folder))
    predictions = [one for sample in samples for one in asked(assistant, sample, folder)]
    file = arguments.plate.with_suffix(".predictions.jsonl")
    write_predictions(file, predictions, {"benchmark": "roc", "model": arguments.model})
    cases = judge("classes", predictions)
    title = (
        f"{arguments.model} on scenes it was not trained on; wrong answers first, then right ones, by quantiles "
        "of S-IoU. Filled: the answered mask."
    )
    picture = plate(spread(cases, COLUMNS), folder, title)
    assert picture is not None, f"{folder} holds the scenes that were just asked about"
    picture.resize((picture.width // 2, picture.height // 2)).save(arguments.plate, quality=82)
    right = sum(case.is_right for case in cases)
    print(f"{right} of {len(cases)} marks are named right; the plate is {arguments.plate}, the answers {file}")


if __name__ == "__main__":
    main()
