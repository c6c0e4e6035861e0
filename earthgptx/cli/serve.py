"""`earthgptx serve`: the HTTP server, told everything by environment variables (docs/server.md)."""

from __future__ import annotations

import os

from earthgptx.cli.speaking import complain


def serve() -> None:
    """Answer over HTTP, with the studio at / for the browser; EARTHGPTX_* variables say where and with what limits.

    Example: EARTHGPTX_PORT=8080 EARTHGPTX_ROOT=/srv/scenes earthgptx serve
    """
    from earthgptx.errors import MissingExtra

    try:
        import uvicorn

        from earthgptx.serving.app import create_app
    except ModuleNotFoundError as error:
        if str(error.name).partition(".")[0] == "earthgptx":
            raise
        raise MissingExtra(f"The server needs {error.name}: pip install 'earthgptx[serve]'.") from error
    from earthgptx.inference import vllm_engine
    from earthgptx.inference.loading import check_device, checkpoint_folder, load
    from earthgptx.serving.settings import Settings
    from earthgptx.serving.shelf import Shelf
    from earthgptx.serving.watch import log_as_json

    settings = Settings.read(os.environ)
    # What can be known to be wrong is said now; the weights are read while the server listens already.
    if settings.engine == "vllm":
        vllm_engine.imported()
    check_device(settings.device)
    checkpoint_folder(settings.model)
    if settings.data is not None:
        Shelf(settings.data).close()  # another server may have it
    app = create_app(settings, lambda: load(settings.model, device=settings.device, engine=settings.engine))
    complain(f"EarthGPT-X listens on http://{settings.host}:{settings.port}/ (Ctrl-C ends it).")
    log_as_json()
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,  # ours: one JSON object a line
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=10,
    )
