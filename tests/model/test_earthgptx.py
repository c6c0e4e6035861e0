"""The conductor: what joins a sequence and what must not, whom a batch's neighbours reach, where marks leave a trace.

Everything is fp32 with random weights; a tolerance stands beside the worst case that was measured.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from earthgptx.data.sample import Sample
from earthgptx.errors import MisplacedTokens
from earthgptx.model.earthgptx import EarthGPTX, Output
from earthgptx.processing.batch import Batch
from earthgptx.shapes import Box, Ellipse, Mark, Mask, Point, Scribble
from tests.tiny_model import LARGE, SMALL, dialogue_sample, picture, prepare, square, tiny_config, tiny_model

MARKS: tuple[Mark, ...] = (
    Box(20, 30, 44, 54),
    Point(300.5, 200.5),
    Ellipse(200, 150, 80, 60),
    Scribble(((10, 10), (60, 40), (100, 20))),
    Mask.from_array(picture(LARGE)[..., 0] > 128),
)
BOUND = "<Region 1>: <pix>\n<Region 2>: <pix>"
UNBOUND = "All ships: <pix>, all harbors: <pix>"
OBJECTS = (square(20, 30, 24), square(270, 180, 60))

SITUATIONS: dict[str, list[Sample]] = {
    "no mark": [dialogue_sample(LARGE)],
    "no mark, one view": [dialogue_sample(SMALL)],
    "one mark": [dialogue_sample(LARGE, MARKS[:1])],
    "every kind of mark": [dialogue_sample(LARGE, MARKS)],
    "twenty marks": [dialogue_sample(LARGE, MARKS * 4)],
    "images with one and five views": [dialogue_sample(SMALL, MARKS[:1]), dialogue_sample(LARGE, MARKS[:2])],
    "marks on one of two images": [dialogue_sample(LARGE), dialogue_sample(SMALL, MARKS[:1])],
    "bound masks": [dialogue_sample(LARGE, MARKS[:2], answer=BOUND, targets=OBJECTS)],
    "unbound masks": [dialogue_sample(LARGE, answer=UNBOUND, targets=OBJECTS)],
    "both sorts of masks on two images": [
        dialogue_sample(SMALL, MARKS[:1], answer="<Region 1>: <pix> at <pix>", targets=OBJECTS),
        dialogue_sample(LARGE, MARKS[:2], answer=f"{BOUND}\n{UNBOUND}", targets=OBJECTS * 2),
    ],
}
# fp32: the worst measured over all tests below is 7.2e-6 for logits up to 10, 4.2e-7 for tokens, less for masks.
CLOSE = {"atol": 1e-5, "rtol": 1e-4}


@pytest.fixture(scope="module")
def model() -> EarthGPTX:
    return tiny_model()


@torch.no_grad()
def output_of(model: EarthGPTX, batch: Batch) -> Output:
    return model(batch)


def check_output(output: Output, batch: Batch, model: EarthGPTX) -> None:
    num_answer_tokens = int((batch.labels >= 0).sum())
    assert output.answer_logits.shape == (num_answer_tokens, model.config.base_vocabulary_size + 5)
    assert output.answer_logits.dtype == torch.float32
    assert bool(torch.isfinite(output.answer_logits).all())
    assert len(output.regions) == len(batch.mark_view)
    assert [tuple(mask.shape) for mask in output.masks] == [tuple(target.shape) for target in batch.targets]


@pytest.mark.parametrize("name", SITUATIONS)
@pytest.mark.parametrize("zoom", [True, False], ids=["zoom", "no zoom"])
@pytest.mark.parametrize("kind", ["mutual", "literal", "none"])
def test_forward_serves(kind: str, zoom: bool, name: str):
    config = tiny_config(kind=kind, zoom=zoom)
    batch = prepare(SITUATIONS[name], config).batch()
    model = tiny_model(config)
    check_output(output_of(model, batch), batch, model)


@pytest.mark.parametrize("name", SITUATIONS)
def test_forward_serves_with_sam_as_grounding_encoder(name: str):
    config = tiny_config(encoder="sam", zoom=False)
    batch = prepare(SITUATIONS[name], config).batch()
    model = tiny_model(config)
    output = output_of(model, batch)
    check_output(output, batch, model)
    assert all(mask.shape == (16, 16) for mask in output.masks)  # 4 x the 4 x 4 grid of 64 px


def without_last(batch: Batch, *names: str) -> Batch:
    return replace(batch, **{name: getattr(batch, name)[:-1] for name in names})


def test_a_region_too_many_in_the_text_is_refused(model: EarthGPTX):
    batch = prepare([dialogue_sample(LARGE, MARKS[:2])]).batch()
    with pytest.raises(MisplacedTokens, match="8 <region> places but there are 4 tokens"):
        output_of(model, without_last(batch, "canvases", "mark_image", "mark_view"))


def test_a_view_too_few_for_the_text_is_refused(model: EarthGPTX):
    batch = prepare([dialogue_sample(LARGE)]).batch()
    with pytest.raises(MisplacedTokens, match="37 <image> places but there are 32 tokens"):
        output_of(model, without_last(batch, "views", "view_image", "view_slot"))


@pytest.mark.parametrize("word", ["image", "region"])
def test_a_place_too_few_in_the_text_is_refused(model: EarthGPTX, word: str):
    batch = prepare([dialogue_sample(LARGE, MARKS[:1])]).batch()
    place = (batch.token_ids == getattr(model.config, f"{word}_token_id")).nonzero()[0]
    ids = batch.token_ids.clone()
    ids[tuple(place)] = 0
    with pytest.raises(MisplacedTokens, match=f"<{word}> places"):
        output_of(model, replace(batch, token_ids=ids))


def test_a_pix_too_many_in_the_text_is_refused(model: EarthGPTX):
    batch = prepare([dialogue_sample(LARGE, answer=UNBOUND, targets=OBJECTS)]).batch()
    with pytest.raises(MisplacedTokens, match="2 <pix> but 1 masks"):
        output_of(model, without_last(batch, "pix_mark", "pix_image"))


def evidence(model: EarthGPTX, *marks: Mark) -> torch.Tensor:
    """Logits of an answer about marks that both have a zoom view of their own."""
    sample = dialogue_sample(LARGE, marks, answer="<Region 1>: ship\n<Region 2>: harbor")
    return output_of(model, prepare([sample]).batch()).answer_logits


@pytest.mark.parametrize("kind", ["mutual", "literal", "none"])
def test_the_canvas_reaches_the_label(kind: str):
    config = tiny_config(kind=kind)
    model = tiny_model(config)
    batch = prepare([dialogue_sample(LARGE, MARKS[:2], answer="<Region 1>: ship\n<Region 2>: harbor")], config).batch()
    blind = replace(batch, canvases=torch.zeros_like(batch.canvases))
    difference = output_of(model, batch).answer_logits - output_of(model, blind).answer_logits
    assert float(difference.abs().amax(dim=1).min()) > 1e-3  # of every token of the answer


def test_a_mark_moved_inside_its_views_changes_the_answer(model: EarthGPTX):
    here, there = Box(21, 31, 45, 55), Box(25, 35, 49, 59)
    encoded = [prepare([dialogue_sample(LARGE, (mark,))]).encoded[0] for mark in (here, there)]
    assert encoded[0].windows == encoded[1].windows  # so only the canvases differ
    difference = evidence(model, here, MARKS[1]) - evidence(model, there, MARKS[1])
    assert float(difference.abs().amax()) > 1e-4


def test_a_mark_of_another_kind_changes_the_answer(model: EarthGPTX):
    box = Box(20, 30, 44, 54)
    difference = evidence(model, box, MARKS[1]) - evidence(model, Ellipse(32, 42, 12, 12), MARKS[1])
    assert float(difference.abs().amax()) > 1e-4


@pytest.mark.parametrize("kind", ["mutual", "literal", "none"])
def test_permuting_the_marks_permutes_the_regions(kind: str):
    config = tiny_config(kind=kind)
    model = tiny_model(config)
    order = [3, 0, 4, 2, 1]
    first = output_of(model, prepare([dialogue_sample(LARGE, MARKS)], config).batch())
    second = output_of(model, prepare([dialogue_sample(LARGE, [MARKS[k] for k in order])], config).batch())
    assert_close(second.regions, first.regions[order], **CLOSE)
    assert float((first.regions[1:] - first.regions[:-1]).abs().amax(dim=(1, 2)).min()) > 1e-3  # all of them differ


def test_permuting_the_marks_leaves_the_image_as_it_was(model: EarthGPTX):
    words = []
    for marks in (MARKS, MARKS[::-1]):
        batch = prepare([dialogue_sample(LARGE, marks)]).batch()
        with torch.no_grad():
            words.append(model.encode(batch, model.vision(batch.views))[0].image)
    assert_close(words[0], words[1], **CLOSE)


COMPANY = [
    dialogue_sample(SMALL, MARKS[:1], answer="<Region 1>: <pix>", targets=OBJECTS[:1]),
    dialogue_sample(LARGE, MARKS, question="Please name each of the marked regions. " * 3, answer="five things"),
    dialogue_sample(LARGE, answer=UNBOUND, targets=OBJECTS),
    dialogue_sample(LARGE, MARKS[:2], answer=BOUND + " and <pix>", targets=(*OBJECTS, OBJECTS[0])),
]


@pytest.mark.parametrize("kind", ["mutual", "literal", "none"])
@pytest.mark.parametrize("encoder", ["towers", "sam"])
def test_company_and_padding_change_nothing(kind: str, encoder: str):
    config = tiny_config(kind=kind, encoder=encoder)
    model = tiny_model(config)
    prepared = prepare(COMPANY, config)
    together = output_of(model, prepared.batch())
    alone = [output_of(model, prepared.batch(place)) for place in range(len(COMPANY))]
    assert_close(together.answer_logits, torch.cat([one.answer_logits for one in alone]), **CLOSE)
    assert_close(together.regions, torch.cat([one.regions for one in alone]), **CLOSE)
    for mask, expected in zip(together.masks, [mask for one in alone for mask in one.masks], strict=True):
        assert_close(mask, expected, **CLOSE)


def test_padding_on_the_left_is_padding_on_the_right(model: EarthGPTX):
    prepared = prepare(COMPANY)
    right, left = (output_of(model, prepared.batch(pad_left=pad_left)) for pad_left in (False, True))
    assert_close(left.answer_logits, right.answer_logits, **CLOSE)
    for mask, expected in zip(left.masks, right.masks, strict=True):
        assert_close(mask, expected, **CLOSE)


def test_cached_features_stand_in_for_views(model: EarthGPTX):
    batch = prepare(COMPANY).batch()
    with torch.no_grad():
        features = model.vision(batch.views)
        cached = model(replace(batch, views=batch.views[:0]), features)
    assert_close(cached.answer_logits, output_of(model, batch).answer_logits, atol=0, rtol=0)


def test_text_without_our_words_passes_as_through_the_plain_language_model(model: EarthGPTX):
    ids = torch.arange(40, 60)[None]
    with torch.no_grad():
        hidden = model.language(model.language.embed(ids), torch.ones_like(ids, dtype=torch.bool))
        logits = model.language.logits(hidden)
        plain = model.language.llama(input_ids=ids).logits
    assert_close(logits[..., : plain.shape[-1]], plain, atol=0, rtol=0)


@pytest.mark.parametrize(("switch", "tower"), [("use_vit", "vit"), ("use_cnn", "cnn")])
def test_a_tower_that_is_not_used_has_no_say(switch: str, tower: str):
    """Its features may be in the cache all the same: neither words nor masks depend on them."""
    config = tiny_config()
    setattr(config.vision, switch, False)
    model, batch = tiny_model(config), prepare(COMPANY, config).batch()
    with torch.no_grad():
        features = model.vision(batch.views)
        spoilt = {"vit": torch.rand_like(features.vit), "cnn": tuple(map(torch.rand_like, features.cnn))}[tower]
        given, changed = model(batch, features), model(batch, replace(features, **{tower: spoilt}))
    assert_close(given.answer_logits, changed.answer_logits, atol=0, rtol=0)
    assert len(given.masks) > 0
    for mask, other in zip(given.masks, changed.masks, strict=True):
        assert_close(mask, other, atol=0, rtol=0)
