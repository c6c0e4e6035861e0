"""What goes over the wire, as types: they check requests and become the OpenAPI document, with an example of each."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from earthgptx.inference.questions import MAX_MARKS

MARKS_EXAMPLE: list[Any] = [
    {"kind": "box", "coordinates": [40, 60, 90, 120]},
    {"kind": "point", "coordinates": [200, 31]},
]
Coordinates = Literal["pixel", "wgs84"]
Marks = Annotated[
    list[dict[str, Any]] | dict[str, Any],
    Field(
        description=f"At most {MAX_MARKS} marks as `Mark.to_json` gives them, or a GeoJSON FeatureCollection.",
        examples=[MARKS_EXAMPLE],
    ),
]
Temperature = Annotated[float, Field(ge=0, le=10, allow_inf_nan=False, description="0 is the likeliest answer.")]
Seed = Annotated[int, Field(ge=0, le=2**63 - 1)]


class ErrorContent(BaseModel):
    """What went wrong."""

    code: str = Field(examples=["queue_full"])
    message: str = Field(examples=["64 questions wait and no more than 64 may; try again in about 40 s."])
    request_id: str = Field(examples=["5f3c9a1b2c4d5e6f"])


class ErrorBody(BaseModel):
    """Every refusal, whatever its status."""

    error: ErrorContent


class OpenByPath(BaseModel):
    """A scene that lies on the server."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"path": "ports/a.tif", "sensor": "sar"}})

    path: str = Field(min_length=1, max_length=1_000, description="Below EARTHGPTX_ROOT.")
    sensor: str = "auto"


class SceneBody(BaseModel):
    """An opened scene. Pixels count from the upper left corner, x right, y down."""

    id: str
    name: str
    width: int
    height: int
    sensor: str
    notes: list[str]
    is_georeferenced: bool
    crs: str | None
    bounds_wgs84: Annotated[list[float], Field(min_length=4, max_length=4)] | None
    ground_sample_distance: float | None
    num_bands: int
    created: str
    expires: str
    tile_size: int
    max_zoom: int


class ScenesBody(BaseModel):
    """All scenes that the server keeps."""

    scenes: list[SceneBody]


class AskBody(BaseModel):
    """A question about a scene and the regions marked on it."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "question": "Please identify the object category of each marked region in the image.",
                "marks": MARKS_EXAMPLE,
            }
        },
    )

    question: str = Field(description="In plain language; `<Region 2>` names the second mark.")
    marks: Marks = []
    coordinates: Coordinates = "pixel"
    session: str | None = Field(None, description="Of an earlier answer, to go on with its dialogue.")
    max_new_tokens: int = Field(256, ge=1)
    temperature: Temperature = 0.0
    seed: Seed = 0
    stream: bool = Field(False, description="Server-sent events: `word`*, then `answer` or `error`.")


class AnswerBody(BaseModel):
    """An answer. A region's `mask` is an index into `masks`, whose run lengths are COCO's."""

    model_config = ConfigDict(extra="allow")

    id: str
    session: str
    scene: str
    question: str
    text: str
    words: str
    image: dict[str, Any]
    regions: list[dict[str, Any]]
    masks: list[dict[str, Any]]


class AnswersBody(BaseModel):
    """The answers to a scene, oldest first."""

    answers: list[AnswerBody]


class ImageURL(BaseModel):
    """An image in the request itself; addresses are never fetched."""

    url: str = Field(examples=["data:image/png;base64,iVBORw0KGgo..."])


class ContentPart(BaseModel):
    """A piece of a message: words, or an image."""

    type: Literal["text", "image_url"]
    text: str | None = None
    image_url: ImageURL | None = None


class ChatMessage(BaseModel):
    """A turn of the dialogue."""

    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[ContentPart] | None = None


class StreamOptions(BaseModel):
    """OpenAI's."""

    include_usage: bool = False


class ChatBody(BaseModel):
    """OpenAI's chat completions; `marks`, `coordinates` and `sensor` are ours. Other members are passed over."""

    model: str = Field(examples=["nano"])
    messages: list[ChatMessage] = Field(min_length=1, max_length=200)
    marks: Marks = []
    coordinates: Coordinates = "pixel"
    sensor: str = "auto"
    max_tokens: int | None = Field(None, ge=1)
    max_completion_tokens: int | None = Field(None, ge=1)
    temperature: Temperature | None = None
    seed: Seed | None = None
    n: Literal[1] | None = None
    stream: bool | None = False
    stream_options: StreamOptions | None = None


def inlined(model: type[BaseModel]) -> dict[str, Any]:
    """A model's schema for the document of an address that parses its body itself, without references."""
    schema = model.model_json_schema()
    parts = schema.pop("$defs", {})

    def whole(value: Any) -> Any:
        if isinstance(value, dict):
            if "$ref" in value:
                return whole(parts[value["$ref"].rpartition("/")[2]])
            return {key: whole(item) for key, item in value.items()}
        return [whole(item) for item in value] if isinstance(value, list) else value

    return {key: whole(value) for key, value in schema.items()}


def content(media_type: str, about: str) -> dict[int | str, dict[str, Any]]:
    """The document's entry for an answer that is no JSON."""
    return {200: {"content": {media_type: {}}, "description": about}}


REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorBody} for status in (400, 401, 403, 404, 408, 413, 415, 422, 429, 500, 503, 504)
}
