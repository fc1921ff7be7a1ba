"""What holds for every test."""

import os

from hypothesis import settings

settings.register_profile("by hand", deadline=None)  # no test asserts a duration; CI's own profile has none either
if "CI" not in os.environ:
    settings.load_profile("by hand")
