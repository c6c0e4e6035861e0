"""The app: its parts are made, its addresses tied together, its model's thread started and stopped.

`create_app` takes settings and whoever gives the model, so that a test can give a small one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

from fastapi import Depends, FastAPI
from fastapi.responses import FileResponse, PlainTextResponse, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from fastapi.staticfiles import StaticFiles
from starlette.middleware.cors import CORSMiddleware

import earthgptx
from earthgptx.inference.assistant import Assistant
from earthgptx.serving import chat, mark_routes, routes
from earthgptx.serving.failures import add_handlers
from earthgptx.serving.guard import Guard
from earthgptx.serving.scenes import SceneStore
from earthgptx.serving.settings import Settings
from earthgptx.serving.state import Serving
from earthgptx.serving.watch import Metrics
from earthgptx.serving.worker import Worker

logger = logging.getLogger(__name__)

STUDIO = Path(__file__).parent / "studio"
SECONDS_BETWEEN_SWEEPS = 60.0


def create_app(settings: Settings, load: Callable[[], Assistant]) -> FastAPI:
    """Makes the app.

    Args:
        settings: limits, folders, token.
        load: gives the model; called once, on the model's own thread, when the app starts.
    """
    metrics = Metrics()
    worker = Worker(
        load,
        queue_size=settings.queue_size,
        batch_size=settings.batch_size,
        encoded_scenes=settings.encoded_scenes,
        meter=metrics,
    )

    @asynccontextmanager
    async def run(app: FastAPI) -> AsyncIterator[None]:
        scenes = SceneStore(settings, on_removed=worker.forget)
        metrics.gauge("queue_length", "Questions that wait.", lambda: worker.num_waiting)
        metrics.gauge("scenes", "Scenes kept.", lambda: len(scenes))
        metrics.gauge("encoded_scenes", "Scenes whose features are in memory.", lambda: worker.seen.num_scenes)
        metrics.gauge("encoded_bytes", "Of features, and of pixels of windows.", lambda: worker.seen.num_bytes)
        app.state.serving = Serving(settings, scenes, worker, metrics)
        for stored in scenes.all():  # those that an earlier process kept
            worker.know(stored.id)
        worker.start()
        sweeper = asyncio.create_task(_sweep(scenes))
        try:
            yield
        finally:
            sweeper.cancel()
            await asyncio.to_thread(worker.stop)
            await asyncio.to_thread(scenes.close)

    app = FastAPI(
        title="EarthGPT-X",
        version=earthgptx.__version__,
        description="Mark regions on optical, SAR or infrared imagery, ask in plain language, get words and masks.",
        lifespan=run,
        docs_url=None,  # their pages load scripts from other hosts
        redoc_url=None,
        dependencies=[Depends(_bearer)],
    )
    add_handlers(app)
    app.include_router(routes.router)
    app.include_router(mark_routes.router)
    app.include_router(chat.router)
    _add_studio(app)
    app.add_middleware(Guard, settings=settings, metrics=metrics)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["Authorization", "Content-Type"],
            expose_headers=["X-Request-ID", "Retry-After"],
        )
    return app


async def _bearer(
    given: Annotated[HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False))],
) -> None:
    """Puts the token into the OpenAPI document; `Guard` is who asks for it, before a body is read."""


def _add_studio(app: FastAPI) -> None:
    """The browser's page and its files, where they were built."""

    @app.get("/", include_in_schema=False)
    async def studio() -> Response:
        page = STUDIO / "index.html"
        if page.is_file():
            return FileResponse(page, headers={"Cache-Control": "no-cache"})
        return PlainTextResponse("The studio is not in this installation; the API is described at /openapi.json.\n")

    app.mount("/assets", StaticFiles(directory=STUDIO / "assets", check_dir=False), name="assets")


async def _sweep(scenes: SceneStore) -> None:
    while True:
        await asyncio.sleep(SECONDS_BETWEEN_SWEEPS)
        try:
            if num_removed := await asyncio.to_thread(scenes.sweep):
                logger.info("scenes expired", extra={"num_removed": num_removed})
        except Exception:  # a file that cannot be removed now must not end the sweeping
            logger.exception("scenes could not be swept")
