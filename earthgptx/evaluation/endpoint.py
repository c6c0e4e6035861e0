"""Any vision model behind OpenAI's chat completions, asked what EarthGPT-X is asked: the same images, marks and words.

Such a model takes no marks, so they are drawn and numbered in its picture (Set-of-Marks), or written as coordinates.
An `EndpointAnswerer` stands where an assistant stands; its answers are scored by the same code. It gives no masks.
"""

from __future__ import annotations

import hashlib
import io
import math
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from PIL import Image

from earthgptx.data.imagery import Scene
from earthgptx.data.recaption.answers import AnswerCache, Reply
from earthgptx.data.recaption.client import ChatEndpoint, NoAnswer
from earthgptx.data.recaption.cost import Estimate, Ledger, Prices, Spending, image_tokens
from earthgptx.data.recaption.request import Parameters
from earthgptx.data.recaption.request import Question as Asked
from earthgptx.data.recaption.set_of_marks import draw_numbered_marks, picture_size
from earthgptx.errors import BudgetSpent, EndpointFailed
from earthgptx.inference.answer import Answer
from earthgptx.inference.assistant import Question, Session
from earthgptx.inference.generation import Generated
from earthgptx.inference.questions import check_marks
from earthgptx.inference.reading import read_answer
from earthgptx.shapes import Ellipse, Mark, Point, Polygon, Scribble

Way = Literal["marks", "coordinates"]

SYSTEM = (
    "You interpret satellite, aerial, radar and thermal pictures. You answer as briefly as you are asked to, in the "
    "form that you are asked for, and add nothing."
)
SENSORS = {
    "optical": "an optical image seen from above",
    "sar": "a radar (SAR) image seen from above; brightness is backscatter",
    "infrared": "a thermal infrared image seen from above; brightness is heat",
}
FAILURES_IN_A_ROW = 10  # then the endpoint is at fault, not the questions
MOST_POINTS = 12  # of a stroke or an outline that are written down
LETTERS_PER_TOKEN = 3  # English has four and more; the estimate should rather be high

# "<Region 2>: ship", "**Region 2:** ship", "2. ship": a line that names its region's number first.
_LINE = re.compile(r"^[\W_]*(?:region\b)?[\W_]*(\d{1,3})\s*(?:[>\]*_:.)-]+\s*)+(\S.*)$", re.IGNORECASE)


@dataclass(frozen=True)
class Manner:
    """How a general model is asked.

    Attributes:
        way: "marks" draws and numbers them in the picture, "coordinates" writes them into the words.
        side: longer side of the picture that is sent, in pixels.
        classes: names to choose from; none leaves the words free.
        concurrency: questions in flight at once.
        prices, budget: as for `data recaption`; None for no limit.
    """

    way: Way = "marks"
    side: int = 896
    classes: tuple[str, ...] = ()
    concurrency: int = 8
    prices: Prices = field(default_factory=Prices)
    budget: float | None = None


class LookedAt(Session):
    """A scene that nobody encoded: an `EndpointAnswerer` sends its pixels with every question."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene


class EndpointAnswerer:
    """A model at an endpoint in an assistant's place.

    Args:
        endpoint: asked from `manner.concurrency` threads.
        model: its name there.
        manner: how it is asked.
        kept: folder of answers that were paid for; they are used again, whatever became of the run.
    """

    def __init__(self, endpoint: ChatEndpoint, model: str, manner: Manner, kept: Path) -> None:
        self.endpoint, self.model, self.manner = endpoint, model, manner
        self.cache = AnswerCache(kept)
        lost_in, lost_out = self.cache.lost()
        self.ledger = Ledger(manner.prices, manner.budget, manner.prices.of(lost_in, lost_out))
        self.num_unanswered = 0
        self._failures = 0  # in a row

    @property
    def spent(self) -> Spending:
        """What this run has paid."""
        return self.ledger.spent

    def look(self, scene: Scene, *, now: bool = True) -> Session:
        """Keeps the scene; nothing is ever sent before a question."""
        return LookedAt(scene)

    def answer(
        self,
        questions: Sequence[Question],
        *,
        max_new_tokens: int = 256,
        temperature: float = 0.0,
        seed: int = 0,
        num_beams: int = 1,
    ) -> list[Answer]:
        """Asks each question by itself, several at once; one that the endpoint refuses counts as not answered.

        Args:
            questions: each about a scene of `look`.
            max_new_tokens: where an answer is cut.
            temperature: 0 for the likeliest words.
            seed, num_beams: not known to chat completions.

        Raises:
            BudgetSpent: the next question might pass the budget; what was paid for is kept.
            EndpointFailed: no question gets an answer any more.
        """
        parameters = Parameters(self.model, max_new_tokens, temperature, "text", self.manner.side)
        with ThreadPoolExecutor(self.manner.concurrency, thread_name_prefix="endpoint") as pool:
            futures = [pool.submit(self._ask, question, parameters) for question in questions]
            try:
                replies = [future.result() for future in futures]
            except BaseException:
                self.endpoint.halt()  # what is in flight is waited for, and kept
                pool.shutdown(cancel_futures=True)
                raise
        return [_read(question, reply) for question, reply in zip(questions, replies, strict=True)]

    def _ask(self, question: Question, parameters: Parameters) -> Reply | None:
        scene = question.session.scene
        marks = check_marks(question.marks, width=scene.width, height=scene.height)
        asked = Asked(SYSTEM, words_of(scene, question.text, marks, self.manner), parameters)
        picture = picture_of(scene, marks, self.manner)
        key = _key(asked, picture)
        if (kept := self.cache.get(key)) is not None:
            return kept
        size = picture_size(scene.width, scene.height, self.manner.side)
        letters = len(asked.system) + len(asked.words)
        most = parameters.max_output_tokens
        estimate = Estimate(math.ceil(letters / LETTERS_PER_TOKEN) + image_tokens(*size), most, most)
        reserved = self.ledger.reserve(estimate)
        if reserved is None:
            raise self._budget_spent()

        def on_lost() -> None:
            self.cache.add_lost(estimate.tokens_in, most)
            if not self.ledger.lose(estimate):
                raise self._budget_spent()

        try:
            reply = self.endpoint.ask(asked, picture, on_lost)
        except NoAnswer as problem:
            self.ledger.release(reserved)
            self.num_unanswered += 1
            self._failures += 1
            if self._failures >= FAILURES_IN_A_ROW:
                raise EndpointFailed(
                    f"{self._failures} questions in a row got no answer. The last: {problem}"
                ) from problem
            return None
        except BaseException:
            self.ledger.release(reserved)
            raise
        self._failures = 0
        self.ledger.settle(estimate, reserved, reply)
        self.cache.put(key, reply)
        return reply

    def _budget_spent(self) -> BudgetSpent:
        return BudgetSpent(
            f"The next question might pass the budget of {self.manner.budget:g}: {self.ledger.total_cost():.4f} are "
            "spent. All that was paid for is kept; a larger --budget goes on from here."
        )


def words_of(scene: Scene, question: str, marks: Sequence[Mark], manner: Manner) -> str:
    """What is sent beside the picture: sensor, regions, question, and the form of the answer."""
    parts = [f"This is {SENSORS[scene.sensor]}."]
    if marks and manner.way == "marks":
        parts.append(
            f"{len(marks)} region{'s are' if len(marks) > 1 else ' is'} marked by a drawn line or dot with a number: "
            "number 1 is <Region 1>, and so on. Lines, dots and numbers are not part of the scene."
        )
    elif marks:
        width, height = picture_size(scene.width, scene.height, manner.side)
        parts.append(
            f"The picture is {width} pixels wide and {height} high; (0, 0) is its upper left corner, x goes to the "
            "right and y down. Regions of it:"
        )
        scale = manner.side / max(scene.width, scene.height)
        parts += [
            f"<Region {number}>: {in_coordinates(mark.scaled(scale, scale))}" for number, mark in enumerate(marks, 1)
        ]
    parts.append(question)
    if manner.classes:
        parts.append(f"Choose among these names: {', '.join(manner.classes)}.")
    if marks:
        lines = "one line" if len(marks) == 1 else f"{len(marks)} lines, one a region in their order"
        parts.append(f'Answer with {lines}, of the form "<Region 1>: answer", and nothing else.')
    return "\n".join(parts)


def in_coordinates(mark: Mark) -> str:
    """A mark in words, in whole pixels of the picture."""

    def at(x: float, y: float) -> str:
        return f"({round(x)}, {round(y)})"

    outline = mark.outline()
    step = max(math.ceil(len(outline) / MOST_POINTS), 1)
    path = ", ".join(at(x, y) for x, y in outline[::step])
    if isinstance(mark, Point):
        return f"what lies at the point {path}"
    if isinstance(mark, Scribble):
        return f"what lies under the stroke through {path}"
    if isinstance(mark, Polygon):
        return f"what lies in the polygon with the corners {path}"
    box = mark.bounds()
    shape = "ellipse in the box" if isinstance(mark, Ellipse) else "box"
    return f"what lies in the {shape} from {at(box.x0, box.y0)} to {at(box.x1, box.y1)}"


def picture_of(scene: Scene, marks: Sequence[Mark], manner: Manner) -> bytes:
    """The picture that is sent, as PNG: with the marks and their numbers, or bare."""
    if marks and manner.way == "marks":
        picture = draw_numbered_marks(scene.pixels, marks, side=manner.side).image
    else:
        size = picture_size(scene.width, scene.height, manner.side)
        picture = Image.fromarray(scene.pixels).resize(size, Image.Resampling.LANCZOS)
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def as_our_lines(text: str, num_marks: int) -> str:
    """A general model's lines in the form that is scored.

    "**Region 2:** A ship." and "2. a ship" say what "<Region 2>: ship" says; a single region needs no number. No word
    of an answer is changed but for an article before it.
    """
    if num_marks == 0:
        return text.strip()
    found: dict[int, str] = {}
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    for line in lines:
        match = _LINE.match(line)
        if match and 1 <= int(match[1]) <= num_marks:
            found.setdefault(int(match[1]), match[2])
    if not found and (num_marks > 1 or not lines):
        return text.strip()  # nothing is scored, everything is kept
    if not found:
        found[1] = lines[0]
    return "\n".join(f"<Region {number}>: {_bare(words)}" for number, words in sorted(found.items()))


def _bare(words: str) -> str:
    """Words without markdown around them and without an article before them."""
    words = words.strip().strip("*_`\"'").strip()
    return re.sub(r"^(?:an?|the)\s+", "", words, flags=re.IGNORECASE)


def _read(question: Question, reply: Reply | None) -> Answer:
    """The reply as an assistant's answer; chat completions say no probabilities, so that every confidence is 0."""
    text = "" if reply is None else as_our_lines(reply.text.replace("<pix>", ""), len(question.marks))
    words = Generated(text=text, token_texts=(), token_probabilities=(), masks=(), mask_scores=())
    return read_answer(question.session.scene, question.text, question.marks, words)


def _key(asked: Asked, picture: bytes) -> str:
    """SHA-256 of everything that the answer depends on."""
    digest = hashlib.sha256(picture)
    parameters = asked.parameters
    for part in (asked.system, asked.words, parameters.model, parameters.max_output_tokens, parameters.temperature):
        digest.update(f"\0{part}".encode())
    return digest.hexdigest()
