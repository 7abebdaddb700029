"""Essentia: from raw, dirty, compressed log files to an answer."""

from ess.api import *  # noqa: F403 - api.__all__ is the public surface
from ess.api import __all__ as __all__
