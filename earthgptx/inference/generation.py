"""Tensors meet words: scenes are encoded once, a language engine writes answers, masks are drawn after.

It reads no file, parses no question and chooses no word.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import torch
from torch import Tensor

from earthgptx.data.imagery import Scene
from earthgptx.data.sample import Turn
from earthgptx.errors import QuestionTooLong
from earthgptx.inference.language_engine import IsStopped, LanguageEngine, Words, Writing
from earthgptx.inference.torch_engine import TorchEngine
from earthgptx.model.earthgptx import EarthGPTX
from earthgptx.model.feature_store import FeatureStore, feature_key, pixel_key
from earthgptx.model.features import VisionFeatures
from earthgptx.processing.batch import Batch
from earthgptx.processing.processor import Encoded, Processor
from earthgptx.processing.views import scene_windows, whole_window
from earthgptx.processing.vocabulary import PIX
from earthgptx.shapes import Box, Mark

VIEWS_AT_ONCE = 8  # more do not run faster on a CPU: the activations leave its caches. On GPUs untried
OnText = Callable[[int, str], None]


@dataclass(frozen=True)
class SceneViews:
    """A scene, and what the towers saw of it by now.

    Attributes:
        scene: what is looked at.
        near: features of windows by window: the scene's own once it is looked at, zoom windows as marks ask for them.
        large: SAM's embedding of the whole scene, made when a mask first asks for it; empty where the towers serve.
    """

    scene: Scene
    near: dict[Box, VisionFeatures] = field(default_factory=dict)
    large: list[Tensor] = field(default_factory=list)


@dataclass(frozen=True)
class Request:
    """One dialogue that waits for its next answer; marks are in the scene's pixels."""

    views: SceneViews
    turns: tuple[Turn, ...]
    marks: tuple[Mark, ...]


@dataclass(frozen=True)
class Generated:
    """One answer.

    Attributes:
        text: with our words in it (`<pix>`, `<p>`), without the end-of-turn word.
        token_texts: the text, token by token.
        token_probabilities: with which each was chosen.
        masks: one (H, W) boolean map a `<pix>`, at the scene's size.
        mask_scores: mean probability inside each mask, 0 for an empty one.
        num_prompt_tokens: of image, marks and dialogue, that the language model read before.
    """

    text: str
    token_texts: tuple[str, ...]
    token_probabilities: tuple[float, ...]
    masks: tuple[np.ndarray, ...]
    mask_scores: tuple[float, ...]
    num_prompt_tokens: int = 0


@dataclass
class _Row:
    """What one row of the batch has said so far.

    Attributes:
        ids: tokens.
        texts: what each added to the text.
        probabilities: of each.
        before, complete: of the text, the tokens up to `complete` are written; decoding from `before` on, a few
            tokens earlier, keeps the spaces that a tokenizer leaves out at a text's start.
    """

    ids: list[int] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    probabilities: list[float] = field(default_factory=list)
    before: int = 0
    complete: int = 0


class Generator:
    """A model and its processor, in inference mode.

    Args:
        model: assembled and loaded; the language model in bf16.
        processor: that fits it.
        store: features on disk that outlive this process, or None.
        engine: makes what writes the answers, told the words that it must know; the model's own language box if None.
    """

    def __init__(
        self,
        model: EarthGPTX,
        processor: Processor,
        store: FeatureStore | None = None,
        engine: Callable[[Words], LanguageEngine] | None = None,
    ) -> None:
        self.model = model
        self.processor = processor
        self.store = store
        vocabulary = processor.vocabulary
        self.words = Words(
            end=vocabulary.tokenizer.encode(processor.chat.end, add_special_tokens=False)[-1],
            state_wanted=vocabulary.pix,
            never=(vocabulary.image, vocabulary.region),
        )
        self.engine: LanguageEngine = (engine or partial(TorchEngine, model.language))(self.words)

    def look(self, scene: Scene) -> SceneViews:
        """Encodes a scene's own views."""
        views = SceneViews(scene)
        self._see([(views, scene_windows(scene.width, scene.height, self.processor.geometry))])
        return views

    def forget_zooms(self, views: SceneViews, keep: int) -> None:
        """Drops the features of all but the latest `keep` zoom windows: a long dialogue would fill the memory."""
        scene = views.scene
        own = set(scene_windows(scene.width, scene.height, self.processor.geometry))
        zooms = [window for window in views.near if window not in own]
        for window in zooms[: max(len(zooms) - keep, 0)]:
            del views.near[window]

    def num_bytes(self, views: SceneViews) -> int:
        """Of all features of a scene that are kept."""
        features = [tensor for seen in views.near.values() for tensor in (seen.vit, *seen.cnn)]
        return sum(tensor.nbytes for tensor in [*features, *views.large])

    @torch.inference_mode()
    def generate(
        self,
        requests: Sequence[Request],
        *,
        max_new_tokens: int,
        temperature: float,
        seed: int,
        on_text: OnText | None,
        is_stopped: IsStopped | None = None,
        num_beams: int = 1,
    ) -> list[Generated]:
        """Answers requests in one batch.

        Args:
            requests: any scenes, any marks.
            max_new_tokens: where to stop an answer that does not end.
            temperature: 0 takes the likeliest token.
            seed: of the sampling.
            on_text: told (request, piece of text) as text is generated.
            is_stopped: asked of each request before each word whether nobody waits for the rest of it: what it has
                said by then is its answer, without masks, and a batch in which all are stopped ends.
            num_beams: as in `Writing`; an answer that was searched is told to `on_text` once it is found.

        Raises:
            QuestionTooLong: a dialogue and its answer would not fit the language model's positions.
        """
        encoded = [self._encode(request, max_new_tokens) for request in requests]
        batch = self.processor.collate(encoded, pad_left=True).to(self.model.device)
        features = self._see([(r.views, e.windows) for r, e in zip(requests, encoded, strict=True)])
        with torch.autocast(self.model.device.type, torch.bfloat16):
            fused, _ = self.model.encode(batch, features)
            embeddings = self.model.splice(batch.token_ids, fused)
        writing = Writing(max_new_tokens=max_new_tokens, temperature=temperature, seed=seed, num_beams=num_beams)
        rows = [_Row() for _ in encoded]

        def hear(place: int, token_id: int, probability: float) -> None:
            piece = self._say(rows[place], token_id, probability)
            if on_text is not None and piece:
                on_text(place, piece)

        written = self.engine.write(embeddings, batch.present, writing, on_token=hear, is_stopped=is_stopped)
        for row, one in zip(rows, written, strict=True):
            if one.is_stopped:  # its masks, which cost the most, are not drawn
                row.texts[:] = [text.replace(PIX, "") for text in row.texts]
        states = [() if one.is_stopped else one.states for one in written]
        with torch.autocast(self.model.device.type, torch.bfloat16):
            masks = self._draw(rows, states, batch, features, requests, encoded)
        return [
            Generated(
                text="".join(row.texts),
                token_texts=tuple(row.texts),
                token_probabilities=tuple(row.probabilities),
                masks=tuple(mask for mask, _ in drawn),
                mask_scores=tuple(score for _, score in drawn),
                num_prompt_tokens=len(one.dialogue.token_ids),
            )
            for row, one, drawn in zip(rows, encoded, masks, strict=True)
        ]

    def _encode(self, request: Request, max_new_tokens: int) -> Encoded:
        scene = request.views.scene
        encoded = self.processor.encode_parts(
            sample_id=str(scene.path),
            size=(scene.width, scene.height),
            sensor=scene.sensor,
            turns=request.turns,
            marks=request.marks,
        )
        num_tokens, limit = len(encoded.dialogue.token_ids), self.model.language.llama.config.max_position_embeddings
        if num_tokens + max_new_tokens > limit:
            raise QuestionTooLong(
                f"Image, marks and dialogue take {num_tokens:,} tokens and the answer up to {max_new_tokens:,}, "
                f"more than the model's {limit:,}: begin a new dialogue, or allow a shorter answer."
            )
        return encoded

    def _large_frame(self, views: SceneViews) -> Tensor:
        """SAM's embedding of a whole scene (1, 256, h, w), encoded once however many questions follow."""
        if not views.large:
            image = torch.from_numpy(self.processor.render_large(views.scene.pixels).copy())[None]
            views.large.append(self.model.pixels.frame_of_large_images(image.to(self.model.device)))
        return views.large[0]

    @torch.inference_mode()
    def _see(self, wanted: Sequence[tuple[SceneViews, Sequence[Box]]]) -> VisionFeatures:
        """Features of windows of scenes, in order; those never seen before are encoded, many together."""
        missing: dict[tuple[int, Box], SceneViews] = {}  # by scene and window; a scene is itself alone
        for views, windows in wanted:
            missing |= {(id(views), window): views for window in windows if window not in views.near}
        keys: dict[tuple[int, Box], str] = {}
        if self.store is not None and missing:
            scenes = {id(views): views.scene for views in missing.values()}
            images = {number: pixel_key(scene.pixels) for number, scene in scenes.items()}
            keys = {(number, window): feature_key(images[number], window) for number, window in missing}
            for place, key in keys.items():
                if key in self.store:
                    missing.pop(place).near[place[1]] = self.store.read([key]).to(self.model.device)
        left = list(missing.items())
        for start in range(0, len(left), VIEWS_AT_ONCE):
            part = left[start : start + VIEWS_AT_ONCE]
            rendered = [self.processor.render(views.scene.pixels, [window]) for (_, window), views in part]
            features = self.model.vision(torch.from_numpy(np.concatenate(rendered)).to(self.model.device))
            for number, (place, views) in enumerate(part):
                views.near[place[1]] = features.take(torch.tensor([number], device=self.model.device))
                if self.store is not None and keys[place] not in self.store:  # not twice for two equal pictures
                    self.store.append([keys[place]], views.near[place[1]])
        return VisionFeatures.concatenate([views.near[window] for views, windows in wanted for window in windows])

    def _say(self, row: _Row, token_id: int, probability: float) -> str:
        """Adds a token to a row; returns what it adds to the text."""
        row.ids.append(token_id)
        row.probabilities.append(probability)
        text = self._decode(row.ids[row.before :])
        piece = ""
        if not text.endswith("\ufffd"):  # a character that is not complete yet is held back until its last byte comes
            piece = text[len(self._decode(row.ids[row.before : row.complete])) :]
            row.before, row.complete = row.complete, len(row.ids)
            if token_id != self.processor.vocabulary.pix:
                piece = _without_spelled_pix(row.texts, piece)
        row.texts.append(piece)
        return piece

    def _decode(self, ids: list[int]) -> str:
        tokenizer = self.processor.vocabulary.tokenizer
        return str(tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False))

    def _draw(
        self,
        rows: Sequence[_Row],
        states_by_row: Sequence[Sequence[Tensor]],
        batch: Batch,
        features: VisionFeatures,
        requests: Sequence[Request],
        encoded: Sequence[Encoded],
    ) -> list[list[tuple[np.ndarray, float]]]:
        """All masks of all answers in as few decoder calls as there are frames."""
        states = [state for own in states_by_row for state in own]
        answers: list[list[tuple[np.ndarray, float]]] = [[] for _ in rows]
        if not states:
            return answers
        owners = [place for place, own in enumerate(states_by_row) for _ in own]
        marks = [
            mark
            for row, one in zip(rows, encoded, strict=True)
            for mark in self.processor.pix_marks(["".join(row.texts)], len(one.mark_views))
        ]
        first_mark = np.cumsum([0, *(len(one.mark_views) for one in encoded)])
        numbered = [int(first_mark[o]) + m if m >= 0 else -1 for o, m in zip(owners, marks, strict=True)]
        device = batch.pix_mark.device
        wanted = replace(
            batch,
            pix_image=torch.tensor(owners, device=device),
            pix_mark=torch.tensor(numbered, device=device),
        )
        large = (
            {owner: self._large_frame(requests[owner].views) for owner in owners}
            if self.processor.masks.large_image
            else {}
        )
        logits = self.model.draw(torch.stack(states), wanted, features, scene_frames=large)
        for owner, mark, mask in zip(owners, marks, logits, strict=True):
            scene, one = requests[owner].views.scene, encoded[owner]
            frame = one.windows[one.mark_views[mark]] if mark >= 0 else whole_window(scene.width, scene.height)
            answers[owner].append(mask_at_scene_size(mask, frame, scene.width, scene.height))
        return answers


def mask_at_scene_size(logits: Tensor, frame: Box, width: int, height: int) -> tuple[np.ndarray, float]:
    """A frame's logits (s, s) as a (height, width) boolean map, and the mean probability inside it."""
    side = max(round(frame.width), 1)
    left, top = round(frame.x0), round(frame.y0)
    rows = range(max(-top, 0), min(side, height - top))
    columns = range(max(-left, 0), min(side, width - left))
    # Only what lies in the scene is made: the square around a long strip has no room in memory.
    narrow = _stretched(logits.float().T, side, columns).T.contiguous()
    inner = _stretched(narrow, side, rows)
    mask = np.zeros((height, width), bool)
    top, left = max(top, 0), max(left, 0)
    inside = inner > 0
    mask[top : top + len(rows), left : left + len(columns)] = inside.cpu().numpy()
    num_inside = int(inside.count_nonzero())
    # Not inner[inside]: picking a million values one by one took most of a mask's time.
    return mask, float((inner.sigmoid_() * inside).sum()) / num_inside if num_inside else 0.0


def _stretched(values: Tensor, length: int, places: range) -> Tensor:
    """(s, n) -> (places, n): some rows of bilinear interpolation to `length` rows, pixel centres aligned."""
    wanted = torch.arange(places.start, places.stop, device=values.device) + 0.5
    at = (wanted * (len(values) / length) - 0.5).clamp(0, len(values) - 1)
    below = at.long()
    above = (below + 1).clamp(max=len(values) - 1)
    return values[below].lerp_(values[above], (at - below)[:, None])


def _without_spelled_pix(said: Sequence[str], piece: str) -> str:
    """A piece of text that does not complete a `<pix>` letter by letter: only the token itself has a mask."""
    tail = "".join(said)[1 - len(PIX) :]
    while PIX in tail + piece:
        end = (tail + piece).index(PIX) + len(PIX) - len(tail)
        piece = piece[: end - 1] + piece[end:]
    return piece
