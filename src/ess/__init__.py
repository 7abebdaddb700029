"""Essentia: from raw, dirty, compressed log files to an answer."""

from ess import processor

processor.prepare()  # before anything loads numpy

# Before the rest, because loading it puts the package of that name here; what users call is the function.
import ess.udb  # noqa: E402, F401
from ess.api import *  # noqa: E402, F403 - api.__all__ is the public surface
from ess.api import __all__ as __all__  # noqa: E402
