"""Our caption scores against the whole of pycocoevalcap, its Java tokeniser included, on captions that people wrote.

The captions are COCO's, which lie in one of that package's archives; they are read there and kept nowhere. The first
caption of each image is scored against its others. The captions that the demo of coco-caption scores lie in its
repository alone: `results/captions_val2014_fakecap_results.json`, to be named in EARTHGPTX_COCO_DEMO.
"""

from __future__ import annotations

import importlib.util
import json
import os
import zipfile
from pathlib import Path

import pytest

from earthgptx.errors import MetricUnavailable
from earthgptx.evaluation.metrics.caption_measures import measure
from earthgptx.evaluation.metrics.meteor import find_java

NUM_IMAGES = 300
ARCHIVE, FILE = "spice/spice-1.0.jar", "coco/annotations/captions_val2014.json"


# What github.com/tylin/coco-caption prints in cocoEvalCapDemo.ipynb.
PRINTED_BY_DEMO = {
    "bleu_1": 0.579,
    "bleu_2": 0.404,
    "bleu_3": 0.279,
    "bleu_4": 0.191,
    "meteor": 0.195,
    "rouge_l": 0.396,
    "cider": 0.600,
}


@pytest.fixture(scope="module")
def captions() -> dict[str, list[str]]:
    """Of each image of COCO's val2014, by its id; what people wrote."""
    package = importlib.util.find_spec("pycocoevalcap")
    archive = Path(package.submodule_search_locations[0], ARCHIVE) if package else Path(ARCHIVE)
    if not archive.is_file():
        pytest.skip("the captions of COCO come with pycocoevalcap, the extra eval")
    try:
        find_java()
    except MetricUnavailable as reason:
        pytest.skip(str(reason))
    with zipfile.ZipFile(archive) as opened:
        annotations = json.loads(opened.read(FILE))["annotations"]
    by_image: dict[str, list[str]] = {}
    for one in annotations:
        by_image.setdefault(str(one["image_id"]), []).append(one["caption"].replace("\n", " "))
    return by_image


@pytest.mark.slow
def test_scores_agree_with_pycocoevalcap(captions: dict[str, list[str]]):
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.meteor.meteor import Meteor
    from pycocoevalcap.rouge.rouge import Rouge
    from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

    chosen = sorted(captions, key=int)[:: len(captions) // NUM_IMAGES][:NUM_IMAGES]
    captions = {image: captions[image] for image in chosen}
    said = {image: some[0] for image, some in captions.items()}
    true = {image: some[1:] for image, some in captions.items()}
    ours = measure(said, true, with_spice=False).metrics()
    # One start of the Java tokeniser for both: a caption's own is the first of its list.
    words = PTBTokenizer().tokenize({image: [{"caption": text} for text in some] for image, some in captions.items()})
    res, gts = {image: some[:1] for image, some in words.items()}, {image: some[1:] for image, some in words.items()}
    theirs = {f"bleu_{n}": score for n, score in enumerate(Bleu(4).compute_score(gts, res, verbose=0)[0], start=1)}
    theirs |= {
        "rouge_l": Rouge().compute_score(gts, res)[0],
        "cider": Cider().compute_score(gts, res)[0],
        "meteor": Meteor().compute_score(gts, res)[0],
    }
    assert ours == pytest.approx(theirs, abs=5e-4)


@pytest.mark.slow
def test_the_demo_of_coco_caption_prints_the_same_digits(captions: dict[str, list[str]]):
    file = os.environ.get("EARTHGPTX_COCO_DEMO")
    if not file:
        pytest.skip("EARTHGPTX_COCO_DEMO names no file with the captions of coco-caption's demo")
    said = {str(one["image_id"]): one["caption"] for one in json.loads(Path(file).read_text())}
    scores = measure(said, {image: captions[image] for image in said}, with_spice=False).metrics()
    assert {name: round(score, 3) for name, score in scores.items()} == PRINTED_BY_DEMO
