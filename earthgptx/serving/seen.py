"""What the model saw stays in memory within bounds: so many scenes, and so many bytes of windows of large ones.

Sessions come in and are found again until they are the ones unused for longest, or their scene is removed. It knows no
queue and encodes nothing.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TypeVar

from earthgptx.geo.asking import Looked
from earthgptx.inference.assistant import Session
from earthgptx.shapes import Box

ZOOMS_KEPT = 64  # windows around marks whose features stay, of all that is kept together: about 0.35 MB each for nano
WINDOW_BYTES = 134_217_728  # of windows of large scenes, pixels and features: about 20 to 50 windows for nano
Key = TypeVar("Key")
Value = TypeVar("Value")


class Seen:
    """Sessions of whole scenes and of windows, of scenes that are known; those unused for longest go first.

    Args:
        num_scenes: whole scenes that are kept.
        window_bytes: of windows that are kept.
    """

    def __init__(self, *, num_scenes: int, window_bytes: int = WINDOW_BYTES) -> None:
        self._num_scenes, self._window_bytes = num_scenes, window_bytes
        self._known: set[str] = set()
        self._scenes: OrderedDict[str, Session] = OrderedDict()
        self._windows: OrderedDict[tuple[str, Box], Looked] = OrderedDict()
        self._num_bytes = 0
        self._lock = threading.Lock()

    def know(self, scene_id: str) -> None:
        """Keeps what is seen of a scene from now on until it is forgotten; of others nothing is kept."""
        with self._lock:
            self._known.add(scene_id)

    def forget(self, scene_id: str) -> None:
        """Lets go of a scene, also of what is being looked at this very moment."""
        with self._lock:
            self._known.discard(scene_id)
            self._scenes.pop(scene_id, None)
            for key in [key for key in self._windows if key[0] == scene_id]:
                del self._windows[key]

    def scene(self, scene_id: str) -> Session | None:
        """A scene that is seen whole."""
        with self._lock:
            return _used(self._scenes, scene_id)

    def window(self, scene_id: str, window: Box) -> Looked | None:
        """A window of a large scene."""
        with self._lock:
            return _used(self._windows, (scene_id, window))

    def keep_scene(self, scene_id: str, session: Session) -> None:
        """Keeps a scene, if it is known."""
        with self._lock:
            if scene_id in self._known:
                self._scenes[scene_id] = session
                while len(self._scenes) > self._num_scenes:
                    self._scenes.popitem(last=False)

    def keep_window(self, scene_id: str, window: Box, looked: Looked) -> None:
        """Keeps a window, if its scene is known."""
        with self._lock:
            if scene_id in self._known:
                self._windows[scene_id, window] = looked

    def make_room(self) -> None:
        """Brings all back within the bounds: who asks about one scene may keep many zooms, many who ask keep few.

        Called on the thread that looks, since a session may not grow meanwhile.
        """
        with self._lock:
            sessions = [*self._scenes.values(), *(looked.session for looked in self._windows.values())]
            for session in sessions:
                session.forget_zooms(ZOOMS_KEPT // len(sessions))
            window_bytes = sum(map(_bytes_of, self._windows.values()))
            while window_bytes > self._window_bytes:
                window_bytes -= _bytes_of(self._windows.popitem(last=False)[1])
            self._num_bytes = window_bytes + sum(session.num_bytes for session in self._scenes.values())

    @property
    def num_scenes(self) -> int:
        """Whole scenes that are kept."""
        return len(self._scenes)

    @property
    def num_bytes(self) -> int:
        """Of all features, and of the pixels of windows, after room was last made; those of scenes lie on disk."""
        return self._num_bytes


def _used(kept: OrderedDict[Key, Value], key: Key) -> Value | None:
    found = kept.get(key)
    if found is not None:
        kept.move_to_end(key)
    return found


def _bytes_of(looked: Looked) -> int:
    return looked.session.num_bytes + looked.session.scene.pixels.nbytes
