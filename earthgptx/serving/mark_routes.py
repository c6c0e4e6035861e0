"""Marks read for a scene without asking: whoever draws them, in a browser for one, need not know projections."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict

from earthgptx.data.imagery import Scene
from earthgptx.geo.big_scene import BigScene
from earthgptx.inference.questions import check_marks
from earthgptx.serving.asking import read_marks
from earthgptx.serving.schemas import MARKS_EXAMPLE, REFUSALS, Coordinates, Marks
from earthgptx.serving.state import TheServing
from earthgptx.shapes import Mark

router = APIRouter(responses=REFUSALS)


class PlaceBody(BaseModel):
    """Marks as `ask` takes them."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"marks": MARKS_EXAMPLE}})

    marks: Marks
    coordinates: Coordinates = "pixel"


class PlacedBody(BaseModel):
    """The marks in the order given, in pixels of the scene."""

    marks: list[dict[str, Any]]


@router.post("/scenes/{scene_id}/marks", response_model=PlacedBody)
async def place_marks(scene_id: str, body: PlaceBody, serving: TheServing) -> Any:
    """Reads and checks marks as `ask` does, and gives them in pixels; nothing is asked and nothing is kept."""
    scene = serving.scenes.get(scene_id).scene
    placed = await asyncio.to_thread(_placed, body, scene)
    return JSONResponse({"marks": [mark.to_json() for mark in placed]})


def _placed(body: PlaceBody, scene: Scene | BigScene) -> tuple[Mark, ...]:
    marks = read_marks(body.marks, body.coordinates, scene)
    return check_marks(marks, width=scene.width, height=scene.height)
