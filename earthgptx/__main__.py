"""`python -m earthgptx` is `earthgptx`."""

from __future__ import annotations

from earthgptx.cli import main

if __name__ == "__main__":
    main()
