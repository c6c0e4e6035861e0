"""The project's own addresses: scenes, tiles, questions, answers, and what the server says of itself."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import numpy as np
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse
from PIL import Image
from pydantic import ValidationError
from starlette.datastructures import FormData, UploadFile

import earthgptx
from earthgptx.data.phrasing import usual
from earthgptx.data.sensors import SENSORS, check_sensor
from earthgptx.errors import MalformedRequest, UnknownAnswer
from earthgptx.geo.scene_answer import SceneMask
from earthgptx.inference.questions import MAX_MARKS, MAX_QUESTION_CHARACTERS
from earthgptx.serving.asking import EventStream, read_marks, submit
from earthgptx.serving.failures import request_id_of
from earthgptx.serving.pyramid import png
from earthgptx.serving.schemas import (
    REFUSALS,
    AnswerBody,
    AnswersBody,
    AskBody,
    OpenByPath,
    SceneBody,
    ScenesBody,
    content,
)
from earthgptx.serving.state import Serving, TheServing
from earthgptx.serving.stored import StoredScene
from earthgptx.shapes import Box

router = APIRouter(responses=REFUSALS)

# Name, the usual question of `data.phrasing`, and what stands in its braces.
TASKS: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("Classify regions", "roc", {}),
    ("Caption regions", "region_caption", {}),
    ("Relate regions", "relation", {"regions": "<Region 1> and <Region 2>"}),
    ("Segment a region", "segment_region", {"regions": "<Region 1>"}),
    ("Segment by name", "segment_class", {"labels": "ships"}),
    ("Describe with masks", "grounded_caption", {}),
    ("Caption the image", "image_caption", {}),
    ("Classify the scene", "scene", {}),
)
PICTURE = content("image/png", "A PNG picture.")
EVENTS = content("text/event-stream", "The answer, or server-sent events where they were asked for.")
GEOJSON = content("application/geo+json", "A FeatureCollection.")
METRICS = content("text/plain", "Prometheus' text format.")
UPLOAD_DOCUMENT = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {"type": "string", "format": "binary"},
                        "sensor": {"type": "string", "default": "auto", "enum": ["auto", *SENSORS]},
                    },
                }
            },
            "application/json": {"schema": OpenByPath.model_json_schema()},
        },
    }
}


@router.get("/health")
async def health() -> dict[str, str]:
    """Whether the process lives."""
    return {"status": "ok"}


@router.get("/ready")
async def ready(serving: TheServing) -> dict[str, str]:
    """Whether questions are taken."""
    serving.worker.check_ready()
    return {"status": "ready"}


@router.get("/metrics", responses=METRICS, response_class=Response)
async def metrics(serving: TheServing) -> Response:
    """Numbers for Prometheus."""
    return Response(serving.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


@router.get("/api/about")
async def about(serving: TheServing) -> dict[str, Any]:
    """What this server is and takes."""
    settings = serving.settings
    return {
        "version": earthgptx.__version__,
        "model": Path(settings.model).name,
        "sensors": list(SENSORS),
        "tasks": [{"name": name, "question": usual(task).format(**words)} for name, task, words in TASKS],
        "limits": {
            "max_upload_bytes": settings.max_upload_bytes,
            "max_pixels": settings.max_pixels,
            "max_marks": MAX_MARKS,
            "max_question_characters": MAX_QUESTION_CHARACTERS,
        },
        "needs_token": bool(settings.token),
    }


@router.post("/scenes", status_code=201, response_model=SceneBody, openapi_extra=UPLOAD_DOCUMENT)
async def add_scene(request: Request, serving: TheServing) -> dict[str, Any]:
    """Opens an uploaded image, or one that lies below the server's folder of scenes."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json":
        by_path = await _parsed(request)
        sensor = check_sensor(by_path.sensor)
        stored = await serving.open_scene(lambda: serving.scenes.add_path(by_path.path, sensor=sensor))
    elif kind == "multipart/form-data":
        async with serving.uploads, request.form(max_files=1, max_fields=4) as form:
            stored = await _add_upload(form, serving)
    else:
        raise MalformedRequest(
            f"A scene is sent as multipart/form-data, or named as application/json, not {kind[:80] or 'nothing'!r}."
        )
    serving.worker.look_soon(stored.id, stored.scene)
    return stored.to_json()


@router.get("/scenes", response_model=ScenesBody)
async def list_scenes(serving: TheServing) -> dict[str, Any]:
    """The scenes that the server keeps."""
    return {"scenes": [stored.to_json() for stored in serving.scenes.listed()]}


@router.get("/scenes/{scene_id}", response_model=SceneBody)
async def get_scene(scene_id: str, serving: TheServing) -> dict[str, Any]:
    """One scene."""
    return serving.scenes.get(scene_id).to_json()


@router.delete("/scenes/{scene_id}", status_code=204)
def remove_scene(scene_id: str, serving: TheServing) -> Response:
    """Removes a scene with its answers."""
    serving.scenes.remove(scene_id)
    return Response(status_code=204)


@router.get("/scenes/{scene_id}/tiles/{z}/{x}/{y}.png", responses=PICTURE, response_class=Response)
def get_tile(
    scene_id: str,
    z: int,
    x: int,
    y: int,
    serving: TheServing,
    low: Annotated[float, Query(ge=-255, le=510, allow_inf_nan=False, description="Level that becomes black.")] = 0.0,
    high: Annotated[float, Query(ge=-255, le=510, allow_inf_nan=False, description="And white.")] = 255.0,
    bands: Annotated[str | None, Query(description="One or three bands, from 1.", examples=["3,2,1"])] = None,
) -> Response:
    """256 x 256 pixels of the scene's own grid; levels are those of the picture that the model sees, 0 to 255."""
    if low >= high:
        raise MalformedRequest(f"low must be below high, but {low:g} is not below {high:g}.")
    stored = serving.scenes.get(scene_id)
    picture = stored.picture if bands is None else stored.display(_bands(bands))
    tile = picture.tile(z, x, y, low=low, high=high)
    return Response(tile, media_type="image/png", headers={"Cache-Control": "private, max-age=3600"})


@router.get("/scenes/{scene_id}/thumbnail.png", responses=PICTURE, response_class=Response)
def thumbnail(scene_id: str, serving: TheServing) -> Response:
    """The whole scene, at most 256 pixels wide and high."""
    picture = serving.scenes.get(scene_id).picture.thumbnail()
    return Response(picture, media_type="image/png", headers={"Cache-Control": "private, max-age=3600"})


@router.post("/scenes/{scene_id}/ask", response_model=AnswerBody, responses=EVENTS)
async def ask(scene_id: str, body: AskBody, request: Request, serving: TheServing) -> Any:
    """Asks; as JSON when the answer is there, or word by word as server-sent events."""
    stored = serving.scenes.get(scene_id)
    marks = await asyncio.to_thread(read_marks, body.marks, body.coordinates, stored.scene)
    asked = submit(
        serving.worker,
        stored,
        text=body.question,
        marks=marks,
        dialogue=body.session,
        sampling=serving.sampling(body.max_new_tokens, body.temperature, body.seed),
        seconds=serving.settings.answer_seconds,
    )
    if body.stream or "text/event-stream" in request.headers.get("accept", ""):
        return EventStream(asked.server_sent(request, request_id_of(request)), on_end=asked.stop)
    return JSONResponse(await asked.result(request))


@router.get("/scenes/{scene_id}/answers", response_model=AnswersBody)
def list_answers(scene_id: str, serving: TheServing) -> Any:
    """The answers to a scene, oldest first."""
    return JSONResponse({"answers": serving.scenes.get(scene_id).answers_json()})


@router.delete("/scenes/{scene_id}/answers", status_code=204)
def forget_answers(scene_id: str, serving: TheServing) -> Response:
    """Removes a scene's answers and dialogues; the scene stays."""
    serving.scenes.get(scene_id).forget_answers()
    return Response(status_code=204)


@router.get("/scenes/{scene_id}/answers/{answer_id}.json", response_model=AnswerBody)
def answer_json(scene_id: str, answer_id: str, serving: TheServing) -> Any:
    """One answer."""
    return JSONResponse(serving.scenes.get(scene_id).answer_json(answer_id))


@router.get("/scenes/{scene_id}/answers/{answer_id}.geojson", responses=GEOJSON, response_class=Response)
def answer_geojson(scene_id: str, answer_id: str, serving: TheServing) -> Response:
    """Marks and masks as a FeatureCollection, in degrees where the scene has a georeference."""
    stored = serving.scenes.get(scene_id)
    collection = stored.answer(answer_id).to_geojson()
    collection["answer"]["image"]["path"] = stored.file.name
    return Response(json.dumps(collection, allow_nan=False), media_type="application/geo+json")


@router.get("/scenes/{scene_id}/answers/{answer_id}.png", responses=PICTURE, response_class=Response)
def answer_png(scene_id: str, answer_id: str, serving: TheServing) -> Response:
    """The scene with marks, labels and masks drawn on it."""
    picture = serving.scenes.get(scene_id).answer(answer_id).draw()
    return Response(png(picture), media_type="image/png")


@router.get("/scenes/{scene_id}/answers/{answer_id}/masks/{index}.png", responses=PICTURE, response_class=Response)
def mask_png(scene_id: str, answer_id: str, index: int, serving: TheServing) -> Response:
    """A mask: white, opaque on the object and transparent elsewhere.

    It has the scene's size; of a scene that is read by windows, that at which its window was read. The header
    X-Mask-Window says where it lies, as x0,y0,x1,y1 in scene pixels.
    """
    answer = serving.scenes.get(scene_id).answer(answer_id)
    if not 0 <= index < len(answer.masks):
        num_masks = len(answer.masks)
        raise UnknownAnswer(f"Answer {answer_id} has {num_masks} masks, counted from 0; there is no mask {index}.")
    mask = answer.masks[index]
    window = mask.frame.window if isinstance(mask, SceneMask) else Box(0, 0, answer.scene.width, answer.scene.height)
    layers = np.stack([np.full(mask.array.shape, 255, np.uint8), mask.array.astype(np.uint8) * 255], axis=-1)
    headers = {
        "Cache-Control": "private, max-age=3600",
        "X-Mask-Window": ",".join(f"{side:.0f}" for side in (window.x0, window.y0, window.x1, window.y1)),
    }
    return Response(png(Image.fromarray(layers, "LA")), media_type="image/png", headers=headers)


async def _add_upload(form: FormData, serving: Serving) -> StoredScene:
    file, sensor = form.get("file"), form.get("sensor", "auto")
    if not isinstance(file, UploadFile) or not isinstance(sensor, str):
        raise MalformedRequest("The form needs the field 'file' with an image, and may have 'sensor'.")
    name, known = file.filename or "scene", check_sensor(sensor)
    return await serving.open_scene(
        lambda: serving.scenes.add_upload(name, lambda path: copy_to(path, file.file), sensor=known)
    )


def copy_to(path: Path, stream: BinaryIO) -> None:
    """Writes an upload where it is to lie."""
    with path.open("xb") as target:
        shutil.copyfileobj(stream, target)


def _bands(text: str) -> tuple[int, ...]:
    parts = text.split(",")
    if len(parts) > 3 or not all(part.isascii() and part.isdecimal() and len(part) < 6 for part in parts):
        raise MalformedRequest(f"bands must be one or three numbers between commas, not {text[:40]!r}.")
    return tuple(int(part) for part in parts)


async def _parsed(request: Request) -> OpenByPath:
    try:
        return OpenByPath.model_validate_json(await request.body())
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "The body"
        raise MalformedRequest(f"{place}: {first['msg'].rstrip('.')}.") from error
