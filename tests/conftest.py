"""Settings of the whole suite."""

from __future__ import annotations

from hypothesis import settings

# No deadline: a busy machine is no defect. The same examples everywhere: a red run can be repeated.
settings.register_profile("earthgptx", deadline=None, derandomize=True)
settings.load_profile("earthgptx")
