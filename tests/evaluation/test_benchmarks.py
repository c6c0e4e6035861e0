from __future__ import annotations

import functools
import json
import weakref
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from earthgptx.errors import MalformedDataset
from earthgptx.evaluation import benchmarks, posing, questions, text_scorers
from earthgptx.evaluation.journal import Journal
from earthgptx.evaluation.metrics.caption_measures import measure
from earthgptx.evaluation.questions import Conditions
from earthgptx.evaluation.scoring import score
from tests.evaluation.fake_assistant import FakeAssistant, one_hot

CAPTIONS = {"port_1": "many white ships are in the port .", "forest_2": "a piece of green forest ."}
WIDTH, HEIGHT = 48, 40


def save_picture(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (WIDTH, HEIGHT), (90, 120, 60)).save(path)


def write_json(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def fabricate_coco(folder: Path, split: str, names: Sequence[str], objects_by_image: Sequence[Sequence[str]]) -> None:
    categories = [{"id": number, "name": name} for number, name in enumerate(names, start=1)]
    images, annotations = [], []
    for image_id, labels in enumerate(objects_by_image):
        file_name = f"{image_id:03d}.jpg"
        save_picture(folder / "images" / file_name)
        images.append({"id": image_id, "file_name": file_name, "width": WIDTH, "height": HEIGHT})
        for place, label in enumerate(labels):
            x, y = 2.0 + 4 * place, 3.0 + 2 * place
            ring = [x, y, x + 6, y, x + 6, y + 5, x, y + 5]
            annotations.append(
                {
                    "id": len(annotations),
                    "image_id": image_id,
                    "category_id": names.index(label) + 1,
                    "segmentation": [ring],
                }
            )
    write_json(
        folder / f"instances_{split}.json",
        {"images": images, "annotations": annotations, "categories": categories},
    )


def fabricate(root: Path, split: str) -> Path:
    """Six tiny data sets in their true layout, with 10 + 2 + 2 + 1 + 1 objects and 2 captioned images."""
    fabricate_coco(
        root / "vhr10",
        split,
        ["airplane", "storage_tank"],
        [["airplane"] * 3 + ["storage_tank"] * 6, ["airplane"]],
    )
    fabricate_coco(root / "ssdd", split, ["ship"], [["ship"], ["ship"], []])
    save_picture(root / "hituav" / split / "0_60_30_0_01.jpg")
    infrared = {
        "images": [{"id": 7, "filename": "0_60_30_0_01.jpg", "width": WIDTH, "height": HEIGHT}],
        "categories": [{"id": 0, "name": "Person"}, {"id": 1, "name": "Car"}, {"id": 4, "name": "DontCare"}],
        "annotation": [
            {"id": number, "image_id": 7, "category_id": category, "bbox": [3 + 9 * number, 4, 6, 8]}
            for number, category in enumerate((0, 1, 4))
        ],
    }
    write_json(root / "hituav" / "annotations" / f"{split}.json", infrared)
    save_picture(root / "sar_acd" / split / "A220" / "one.jpg")
    save_picture(root / "mstar" / split / "T72" / "one.jpg")
    for name in CAPTIONS:
        save_picture(root / "rsicd" / "images" / f"{name}.jpg")
    rows = [{"file_name": f"{name}.jpg", "split": split, "captions": [text] * 5} for name, text in CAPTIONS.items()]
    write_json(root / "rsicd" / f"captions_{split}.json", rows)
    return root


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Java and the parser take a while to start, and have tests of their own."""
    monkeypatch.setattr(text_scorers, "measure", functools.partial(measure, with_meteor=False, with_spice=False))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fabricate(tmp_path_factory.mktemp("data"), "val")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "predictions.jsonl"


def run(name: str, assistant: FakeAssistant, conditions: Conditions, path: Path, progress=lambda *_: None):
    benchmark = benchmarks.find(name)
    with Journal.open(path, {"benchmark": name}) as journal:
        asked = benchmarks.pose(benchmark, conditions)
        predictions = benchmarks.ask(benchmark, assistant, asked, journal, conditions, progress=progress)
        counts = benchmarks.counts(asked, journal)
        return score(benchmark.kind, predictions, one_hot, counts=counts, notes=asked.notes)


@pytest.mark.parametrize("marks", ["box", "point", "freeform"])
def test_a_perfect_model_is_perfect(data: Path, path: Path, marks: str):
    conditions = Conditions(data=data, marks=marks)
    scores = run("roc", FakeAssistant(conditions), conditions, path)
    assert scores.metrics == pytest.approx({"ss": 100, "s_iou": 100, "accuracy": 100})
    assert set(scores.by_sensor) == {"optical", "sar", "infrared"}
    assert set(scores.by_dataset) == {"vhr10", "ssdd", "hituav", "sar_acd", "mstar"}
    assert scores.confusion["storage tank"] == {"storage tank": 6}
    assert scores.counts == {"images": 7, "questions": 9, "resumed": 0, "regions": 16, "unanswered": 0}
    assert scores.notes == ()


@pytest.mark.parametrize("marks", ["box", "point", "freeform"])
def test_perfect_masks_are_perfect(data: Path, path: Path, marks: str):
    conditions = Conditions(data=data, marks=marks)
    scores = run("grounding", FakeAssistant(conditions), conditions, path)
    assert set(scores.metrics.values()) == {1.0}
    assert {"ciou", "giou", "miou", "pr_50", "pr_90"} <= set(scores.metrics)
    assert set(scores.by_sensor) == {"optical", "sar"}
    assert scores.counts["regions"] == 12


def test_perfect_captions_are_perfect(data: Path, path: Path):
    pytest.importorskip("pycocoevalcap", reason="caption scores need the eval extra")
    conditions = Conditions(data=data)
    scores = run("captioning", FakeAssistant(conditions), conditions, path)
    assert scores.metrics["bleu_4"] == pytest.approx(1, abs=1e-6)
    assert scores.metrics["rouge_l"] == pytest.approx(1)
    assert {"bleu_1", "bleu_2", "bleu_3", "cider"} <= set(scores.metrics)
    assert scores.by_sensor["optical"] == scores.metrics
    assert "<p>" not in path.read_text()


def test_the_headline_is_over_all_regions_of_all_sensors(data: Path, path: Path):
    conditions = Conditions(data=data)
    assistant = FakeAssistant(conditions, label=lambda truth: "airplane" if truth == "storage tank" else truth)
    scores = run("roc", assistant, conditions, path)
    assert scores.metrics["accuracy"] == pytest.approx(100 * 10 / 16)
    assert scores.by_dataset["vhr10"]["accuracy"] == pytest.approx(100 * 4 / 10)
    assert scores.by_sensor["sar"]["accuracy"] == 100
    assert scores.by_class["storage tank"] == {"accuracy": 0, "s_iou": 0, "regions": 6}


def test_a_region_left_out_scores_zero(data: Path, path: Path):
    conditions = Conditions(data=data)
    silent = FakeAssistant(conditions, label=lambda truth: "" if truth == "ship" else truth)
    scores = run("roc", silent, conditions, path)
    assert scores.metrics == pytest.approx({"ss": 87.5, "s_iou": 87.5, "accuracy": 87.5})
    assert scores.counts["unanswered"] == 2
    masks = run("grounding", silent, conditions, path.with_name("masks.jsonl"))
    assert masks.by_sensor["sar"]["giou"] == masks.by_sensor["sar"]["ciou"] == 0
    assert masks.metrics["giou"] == pytest.approx(10 / 12)


def test_shifted_masks_by_hand(data: Path, path: Path):
    conditions = Conditions(data=data)
    scores = run("grounding", FakeAssistant(conditions, shift=2), conditions, path)
    # every object is 6 x 5: moved by 2 columns, 4 of the 8 covered ones are shared
    assert scores.metrics["ciou"] == scores.metrics["giou"] == scores.metrics["miou"] == 0.5
    assert scores.metrics["pr_50"] == 1
    assert scores.metrics["pr_60"] == 0


def test_questions_keep_the_order_and_hold_at_most_so_many_regions(data: Path, path: Path):
    conditions = Conditions(data=data, regions_per_question=4)
    images, _ = questions.labelled_images(["vhr10"], conditions)
    posed = posing.about_objects(images, lambda _: "?", conditions)
    assert [one.objects for one in posed] == [(0, 1, 2, 3), (4, 5, 6, 7), (8,), (0,)]
    assert len({one.key for one in posed}) == 4
    assistant = FakeAssistant(conditions)
    run("roc", assistant, conditions, path)
    for batch in assistant.batches:
        assert batch == sorted(batch, reverse=True)
    assert len(assistant.looked) == len(set(assistant.looked)) == 7
    assert not any(assistant.looked_at_once)  # the questions of a batch have their images encoded together


def test_an_answer_may_be_as_long_as_its_regions_need(tmp_path: Path, path: Path):
    fabricate_coco(tmp_path / "ssdd", "val", ["ship"], [["ship"] * 10, ["ship"]])
    for regions, limit in ((4, 192), (64, 240)):
        conditions = Conditions(data=tmp_path, regions_per_question=regions, batch_size=1)
        assistant = FakeAssistant(conditions)
        run("roc", assistant, conditions, path.with_name(f"{regions}.jsonl"))
        assert assistant.token_limits == {limit}


def test_scenes_are_forgotten_after_their_last_question(data: Path, path: Path, monkeypatch: pytest.MonkeyPatch):
    held: weakref.WeakValueDictionary[Path, object] = weakref.WeakValueDictionary()
    most = []

    class Forgetful(FakeAssistant):
        def look(self, scene, *, now=True):
            most.append(len(held))
            held[scene.path] = session = super().look(scene, now=now)
            return session

    monkeypatch.setattr(questions, "IMAGES_AT_ONCE", 1)
    conditions = Conditions(data=data, batch_size=2)
    run("roc", Forgetful(conditions), conditions, path)
    assert most == [0] * 7


@pytest.mark.parametrize("change", [{"batch_size": 1}, {"batch_size": 3}, {"regions_per_question": 2}])
def test_batching_changes_no_score(data: Path, path: Path, change: dict[str, int]):
    conditions = Conditions(data=data)
    spoilt = {"label": lambda truth: "airplane" if truth == "storage tank" else truth}
    first = run("roc", FakeAssistant(conditions, **spoilt), conditions, path)
    other = replace(conditions, **change)
    second = run("roc", FakeAssistant(other, **spoilt), other, path.with_name("other.jsonl"))
    assert first.metrics == second.metrics
    assert first.confusion == second.confusion


@pytest.mark.parametrize("name", ["roc", "grounding"])
def test_a_stopped_run_goes_on_and_ends_in_the_same_report(
    data: Path, path: Path, name: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(questions, "IMAGES_AT_ONCE", 2)
    conditions = Conditions(data=data, batch_size=2)
    whole = run(name, FakeAssistant(conditions, shift=1), conditions, path.with_name("whole.jsonl"))
    stopped = FakeAssistant(conditions, shift=1)
    stopped.stop_after = 2
    with pytest.raises(KeyboardInterrupt):
        run(name, stopped, conditions, path)
    again = FakeAssistant(conditions, shift=1)
    seen: list[tuple[int, int]] = []
    resumed = run(name, again, conditions, path, progress=lambda done, total: seen.append((done, total)))
    asked_before = sum(map(len, stopped.batches))
    assert seen[0] == (asked_before, whole.counts["questions"])
    assert seen[-1] == (whole.counts["questions"], whole.counts["questions"])
    assert sum(map(len, again.batches)) == whole.counts["questions"] - asked_before
    assert resumed == replace(whole, counts={**whole.counts, "resumed": asked_before})


@pytest.mark.parametrize("split", ["train", "test"])
def test_other_splits_and_missing_sets(tmp_path: Path, path: Path, split: str):
    data = tmp_path / "data"
    fabricate_coco(data / "ssdd", split, ["ship"], [["ship"]])
    conditions = Conditions(data=data, split=split)
    scores = run("roc", FakeAssistant(conditions), conditions, path)
    assert scores.metrics["s_iou"] == 100
    assert len(scores.notes) == 4
    assert all(note.startswith("Skipped: ") and f"no {split} split" in note for note in scores.notes)
    with pytest.raises(MalformedDataset, match=f"no {split} split of any of rsicd"):
        run("captioning", FakeAssistant(conditions), conditions, path)


@pytest.mark.parametrize("name", ["roc", "grounding"])
def test_images_without_a_question_are_refused(tmp_path: Path, name: str):
    fabricate_coco(tmp_path / "ssdd", "val", ["ship"], [[], []])
    with pytest.raises(MalformedDataset, match=rf"The 2 images of the val split .* that {name} asks about hold no"):
        benchmarks.pose(benchmarks.find(name), Conditions(data=tmp_path))


def test_a_limit_takes_the_same_images_every_time(data: Path, path: Path):
    conditions = Conditions(data=data, limit=1)
    first, notes = questions.labelled_images(["vhr10", "ssdd"], conditions)
    second, _ = questions.labelled_images(["vhr10", "ssdd"], conditions)
    more, _ = questions.labelled_images(["ssdd"], replace(conditions, limit=2))
    assert first == second
    assert [image.dataset for image in first] == ["vhr10", "ssdd"]
    assert first[1] in more
    assert notes == ("Asked about 1 of the 2 images of vhr10.", "Asked about 1 of the 3 images of ssdd.")


def test_a_picture_of_another_size_is_refused(tmp_path: Path, path: Path):
    data = tmp_path / "data"
    fabricate_coco(data / "ssdd", "val", ["ship"], [["ship"]])
    Image.new("RGB", (WIDTH + 1, HEIGHT)).save(data / "ssdd" / "images" / "000.jpg")
    conditions = Conditions(data=data)
    with pytest.raises(MalformedDataset, match="49 x 40 but its annotations say 48 x 40"):
        run("roc", FakeAssistant(conditions), conditions, path)


@pytest.mark.parametrize("change", [{"marks": "lasso"}, {"batch_size": 0}, {"regions_per_question": 0}])
def test_impossible_conditions_are_refused(tmp_path: Path, change: dict):
    with pytest.raises(ValueError, match="must be"):
        Conditions(data=tmp_path, **change)
