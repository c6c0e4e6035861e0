"""The command line: results on stdout; one sentence on stderr and exit code 2 for what a user gets wrong."""

from __future__ import annotations

import io
import json
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from earthgptx.cli import app
from earthgptx.errors import HashMismatch, UnknownBenchmark
from earthgptx.inference.assistant import Assistant
from earthgptx.shapes import Box, Ellipse, Point, Polygon, Scribble
from tests.inference.fake_generator import FakeGenerator

MARKS = ["--box", "4,5,20,15", "--point", "30,31", "--scribble", "40,2,50,4"]


@pytest.fixture
def generator(monkeypatch: pytest.MonkeyPatch) -> FakeGenerator:
    """Stands in for the model; the list of its requests tells whether it was reached."""
    fake = FakeGenerator()
    monkeypatch.setattr("earthgptx.inference.loading.load", lambda name="nano", device="cpu": Assistant(fake))
    return fake


@pytest.fixture
def image(tmp_path: Path) -> str:
    path = tmp_path / "port.png"
    Image.fromarray(np.arange(60 * 40, dtype=np.uint8).reshape(40, 60)).save(path)
    return str(path)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments), catch_exceptions=False)


def refused(result: Result, *words: str) -> None:
    """Exit code 2, nothing on stdout, and one line on stderr that holds the words."""
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert len(result.stderr.strip().splitlines()) == 1, result.stderr
    assert "Traceback" not in result.stderr
    for word in words:
        assert word in result.stderr


def test_ask_prints_the_words(generator: FakeGenerator, image: str):
    result = run("ask", image, *MARKS, "--sensor", "sar", "What is marked?")
    assert result.exit_code == 0
    assert result.stdout == "<Region 1>: the box\n<Region 2>: the point\n<Region 3>: the scribble\n"


def test_marks_are_numbered_in_the_order_given_across_kinds(generator: FakeGenerator, image: str, tmp_path: Path):
    features = [
        {"type": "Point", "coordinates": [1, 2]},
        {"type": "LineString", "coordinates": [[3, 3], [9, 9]]},
    ]
    marks = tmp_path / "marks.geojson"
    marks.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    options = [
        "--point=5,6",
        "--box",
        "1,2,8,9",
        "--marks",
        str(marks),
        "--circle",
        "20,20,4",
        "--box=-3,2,8,19",
    ]
    options += ["--polygon", "1,1,9,1,5,9", "--point", "7,8", "--ellipse", "30,20,4,2"]
    result = run("ask", *options[:3], image, *options[3:], "--sensor", "sar", "What?", "--json")
    assert result.exit_code == 0, result.output
    assert generator.requests[0].marks == (
        Point(5, 6),
        Box(1, 2, 8, 9),
        Point(1, 2),
        Scribble(((3, 3), (9, 9))),
        Ellipse(20, 20, 4, 4),
        Box(-3, 2, 8, 19),
        Polygon(((1, 1), (9, 1), (5, 9))),
        Point(7, 8),
        Ellipse(30, 20, 4, 2),
    )


def test_a_terminal_sees_words_as_they_come_and_a_table(
    generator: FakeGenerator, image: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("earthgptx.cli.speaking.is_terminal", lambda: True)
    generator.texts = ["<Region 1>: ship <pix>\n<p>a pier</p> <pix>"]
    result = run("ask", image, "--box", "4,5,20,15", "--sensor", "sar", "What is marked?")
    words, table = result.stdout.split("\n", 1)
    assert words.strip() == "<Region 1>: ship"
    assert "<p" not in result.stdout
    assert result.stdout.count("<Region 1>") == 1
    for cell in ("box", "50%", "40 px", "a pier", "75%"):
        assert cell in table


def test_json_is_all_there_is_on_stdout(generator: FakeGenerator, image: str):
    result = run("ask", image, *MARKS, "What is marked?", "--json")
    assert [region["label"] for region in json.loads(result.stdout)["regions"]] == [
        "the box",
        "the point",
        "the scribble",
    ]
    assert result.stderr == ""


def test_ask_says_what_it_guessed(generator: FakeGenerator, image: str):
    assert run("ask", image, "What is this?").stderr.strip()


def test_ask_saves_a_picture_and_geojson(generator: FakeGenerator, image: str, tmp_path: Path):
    generator.texts = ["<Region 1>: ship <pix>"]
    picture, marks = tmp_path / "out.png", tmp_path / "out.geojson"
    result = run("ask", image, "--box", "4,5,20,15", "What?", "--save", str(picture), "--geojson", str(marks))
    assert result.exit_code == 0
    assert Image.open(picture).width >= 60
    assert [f["properties"]["role"] for f in json.loads(marks.read_text())["features"]] == ["mark", "mask"]


def test_settings_of_generation_are_passed_on(generator: FakeGenerator, image: str):
    run("ask", image, "What?", "--max-new-tokens", "9", "--temperature", "0.5", "--seed", "3")
    assert generator.settings == [(9, 0.5, 3)]


BAD_ARGUMENTS: list[tuple[list[str], list[str]]] = [
    ([""], ["empty"]),
    (["   "], ["empty"]),
    (["x" * 20_000], ["20,000", "4,000"]),
    ([*MARKS, "What is <Region 5>?"], ["5", "3"]),
    ([*MARKS, "What is <region> 5?"], ["5", "3"]),
    (["What is <Region 1>?"], ["1", "no marks"]),
    ([*["--point", "1,1"] * 200, "What?"], ["200", "64"]),
    (["--box", "nan,1,2,3", "What?"], ["box"]),
    (["--box", "1,inf,2,3", "What?"], ["box"]),
    (["--box", "", "What?"], ["box"]),
    (["--box", "1,2,3", "What?"], ["box"]),
    (["--box", "a,b,c,d", "What?"], ["box"]),
    (["--box", "5,5,5,9", "What?"], ["box"]),
    (["--circle", "5,5,0", "What?"], ["A circle must"]),
    (["--circle", "5,5,-2", "What?"], ["A circle must"]),
    (["--ellipse", "5,5,0,3", "What?"], ["An ellipse must"]),
    (["What is in each marked region?"], ["no mark was given"]),
    (["--point", "400,5", "What?"], ["60 x 40"]),
    (["--polygon", "0,0,9,9", "What?"], ["polygon"]),
    (["--polygon", "0,0,9,9,9,0,0,9", "What?"], ["polygon"]),
    (["--scribble", "5,5", "What?"], ["scribble"]),
    (["--marks", "nowhere.geojson", "What?"], ["nowhere.geojson"]),
    (["--sensor", "sonar", "What?"], ["sonar"]),
    (["--temperature", "inf", "What?"], ["inf"]),
    (["--temperature", "hot", "What?"], ["temperature"]),
    (["--temperature", "nan", "What?"], ["nan"]),
    (["--temperature", "-1", "What?"], ["-1"]),
    (["--temperature", "1e-40", "What?"], ["1e-40", "0.01"]),
    (["--temperature", "11", "What?"], ["11", "10"]),
    (["--seed", "-1", "What?"], ["seed"]),
    (["--seed", str(10**22), "What?"], ["seed"]),
    (["--max-new-tokens", "0", "What?"], ["max-new-tokens"]),
    (["--box", "1,2,3,4"], ["question"]),
    (["--view", "birds", "What?"], ["birds", "overview"]),
    (["--save", "out.txt", "What?"], ["out.txt", ".png"]),
    (["--save", "no/such/folder/out.png", "What?"], ["folder"]),
    (["--geojson", "no/such/folder/out.geojson", "What?"], ["folder"]),
]


@pytest.mark.parametrize(("arguments", "words"), BAD_ARGUMENTS, ids=lambda value: str(value)[:40])
def test_bad_arguments(generator: FakeGenerator, image: str, arguments: list[str], words: list[str]):
    refused(run("ask", image, *arguments), *words)
    assert generator.num_looks == 0  # found before the model is loaded


def png_header(width: int, height: int) -> bytes:
    """The first chunks of a PNG that promises so many grey pixels and holds none."""
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)),
        (b"IDAT", b""),
        (b"IEND", b""),
    ]
    body = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(body)


def noise_png() -> bytes:
    """A whole colour PNG of 64 x 64 pixels."""
    stream = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(stream, "PNG")
    return stream.getvalue()


BROKEN_IMAGES = {
    "truncated.png": (noise_png()[:2000], []),
    "text.png": (b"not an image", ["text.png"]),
    "empty.png": (b"", ["0 bytes"]),
    "bomb.png": (png_header(60_000, 60_000), ["3,600,000,000", "200,000,000"]),
}


@pytest.mark.parametrize("name", BROKEN_IMAGES)
def test_unreadable_images(generator: FakeGenerator, tmp_path: Path, name: str):
    content, words = BROKEN_IMAGES[name]
    (tmp_path / name).write_bytes(content)
    refused(run("ask", str(tmp_path / name), "What?"), *words)
    assert generator.num_looks == 0


def test_images_that_are_not_there(generator: FakeGenerator, tmp_path: Path):
    refused(run("ask", str(tmp_path / "none.png"), "What?"), "none.png")
    refused(run("ask", str(tmp_path), "What?"), "folder")


def test_an_error_of_several_lines_is_one_line(image: str, monkeypatch: pytest.MonkeyPatch):
    def load(name: str, device: str) -> Assistant:
        raise HashMismatch(f"There is something wrong\nwith {name}.")

    monkeypatch.setattr("earthgptx.inference.loading.load", load)
    refused(run("ask", image, "What?", "--model", "mega", "--sensor", "sar", "--json"), "wrong with mega")


def test_the_picture_is_saved_even_if_the_geojson_cannot_be(generator: FakeGenerator, image: str, tmp_path: Path):
    (tmp_path / "out.geojson").mkdir()
    files = ("--save", str(tmp_path / "out.png"), "--geojson", str(tmp_path / "out.geojson"))
    assert run("ask", image, "--sensor", "sar", "What?", *files).exit_code == 2
    assert (tmp_path / "out.png").is_file()


def test_a_file_that_cannot_be_written_is_one_sentence_after_the_answer(
    generator: FakeGenerator, image: str, tmp_path: Path
):
    (tmp_path / "out.geojson").mkdir()
    result = run("ask", image, "--sensor", "sar", "What?", "--json", "--geojson", str(tmp_path / "out.geojson"))
    assert result.exit_code == 2
    assert len(result.stderr.strip().splitlines()) == 1
    assert "out.geojson" in result.stderr
    assert json.loads(result.stdout)["question"] == "What?"


def test_control_c_is_one_sentence_and_exit_code_130(image: str, monkeypatch: pytest.MonkeyPatch):
    def load(name: str, device: str) -> Assistant:
        raise KeyboardInterrupt

    monkeypatch.setattr("earthgptx.inference.loading.load", load)
    result = run("ask", image, "What?", "--json")
    assert result.exit_code == 130
    assert len(result.stderr.strip().splitlines()) == 1


def test_usage_mistakes_are_one_sentence(image: str):
    refused(run("ask", image), "question")
    refused(run("ask"), "image")
    refused(run("paint"), "paint")
    refused(run("ask", image, "What?", "--speed", "9"), "--speed")
    refused(run("--speed"), "--speed")
    refused(run("data", "paint"), "paint")
    refused(run("data", "list", "--speed"), "--speed")


@pytest.mark.parametrize("verb", [[], ["data"]])
def test_no_verb_at_all_gives_the_help(verb: list[str]):
    result = run(*verb)
    assert result.exit_code == 2
    assert "Usage:" in result.output


@pytest.mark.parametrize("verb", [["ask"], ["train"], ["weights"], ["data", "list"], ["data", "show"]])
def test_every_verb_has_help_with_an_example(verb: list[str]):
    result = run(*verb, "--help")
    assert result.exit_code == 0
    assert f"Example: earthgptx {' '.join(verb)}" in " ".join(result.stdout.split())


def test_train_hands_the_recipe_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    calls: list[tuple[Path, list[str]]] = []

    def train_by_recipe(recipe: Path, overrides: list[str], *, on_views: Callable[[int, int], None]) -> Path:
        on_views(1, 2)
        calls.append((recipe, overrides))
        return Path("runs/tiny/model")

    monkeypatch.setattr("earthgptx.training.command.train", train_by_recipe)
    recipe = tmp_path / "tiny.py"
    recipe.write_text("")
    result = run("train", str(recipe), "--set", "a=1", "--set", "b=2")
    assert result.exit_code == 0
    assert "runs/tiny/model" in result.stdout
    assert calls == [(recipe, ["a=1", "b=2"])]
    refused(run("train", str(tmp_path / "none.py")), "none.py")


def test_evaluate_hands_its_options_over(monkeypatch: pytest.MonkeyPatch):
    def evaluate(benchmark: str, limit: int = 3) -> None:
        """Stands in for the real one."""
        raise UnknownBenchmark(f"There is no benchmark {benchmark} of {limit}.")

    monkeypatch.setattr("earthgptx.evaluation.command.evaluate", evaluate)
    refused(run("evaluate", "chess", "--limit", "7"), "chess", "7")
    assert run("evaluate", "--help").exit_code == 0
    assert run("evaluate", "chess", "--depth", "7").exit_code == 2


def test_control_c_during_evaluate_ends_with_130(monkeypatch: pytest.MonkeyPatch):
    def evaluate() -> None:
        """Stands in for the real one."""
        raise KeyboardInterrupt

    monkeypatch.setattr("earthgptx.evaluation.command.evaluate", evaluate)
    assert run("evaluate").exit_code == 130


def test_weights_of_an_unknown_model():
    refused(run("weights", "mega"), "mega")


@pytest.fixture
def corpus(tmp_path: Path) -> str:
    """One image with two ships, laid out like the real set."""
    root = tmp_path / "corpus"
    (root / "vhr10" / "images").mkdir(parents=True)
    Image.fromarray(np.full((80, 100, 3), 90, dtype=np.uint8)).save(root / "vhr10" / "images" / "001.jpg")
    objects = [
        {
            "id": number,
            "image_id": 1,
            "category_id": 1,
            "bbox": [x, 20, 20, 10],
            "area": 200,
            "iscrowd": 0,
            "segmentation": [[x, 20, x + 20, 20, x + 20, 30, x, 30]],
        }
        for number, x in enumerate((10, 60), start=1)
    ]
    content = {
        "images": [{"id": 1, "file_name": "001.jpg", "width": 100, "height": 80}],
        "categories": [{"id": 1, "name": "ship"}],
        "annotations": objects,
    }
    (root / "vhr10" / "instances_val.json").write_text(json.dumps(content))
    return str(root)


def test_data_list_counts_and_says_what_is_missing(corpus: str):
    result = run("data", "list", "--data", corpus, "--split", "val")
    assert result.exit_code == 0, result.output
    assert "vhr10" in result.stdout
    assert "ssdd" in result.stderr
    refused(run("data", "list", "--data", corpus, "--split", "test"))


def test_data_show_draws_samples(corpus: str, tmp_path: Path):
    sheet = tmp_path / "sheet.png"
    result = run("data", "show", "--data", corpus, "--task", "segment_region", "--out", str(sheet))
    assert result.exit_code == 0, result.output
    assert Image.open(sheet).width > 100
    refused(run("data", "show", "--data", corpus, "--task", "juggle", "--out", str(sheet)), "juggle")
    refused(run("data", "show", "--data", corpus, "--task", "image_caption", "--out", str(sheet)))


def test_the_command_line_starts_without_torch():
    code = "import sys, earthgptx.cli; print({'torch', 'transformers', 'rasterio'} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "set()"


def test_the_module_is_the_command():
    result = subprocess.run([sys.executable, "-m", "earthgptx", "--help"], capture_output=True, text=True, check=True)
    assert "ask" in result.stdout
