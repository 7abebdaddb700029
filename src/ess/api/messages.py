"""Messages for people, before they are printed."""

from __future__ import annotations

from ess.settings import concealed

__all__ = ["concealed"]
