"""Essentia: from raw, dirty, compressed log files to an answer."""

# First, because loading it puts the package of that name here; what users call is the function.
import ess.udb  # noqa: F401
from ess.api import *  # noqa: F403 - api.__all__ is the public surface
from ess.api import __all__ as __all__
