"""Runs a perf script inside the target's Python: one file, standard library only, Python 3.8 and later.

The parts of this package, which ``backends/assembling.py`` puts together behind these lines. Started as
``python worker.py SPEC`` (JSON, see `main`). It takes its clocks, its channel and its own copy of the builtins
before any foreign code runs, keeps them in closures, and expects the script and the patch to be hostile: what they
print, replace, close or raise must neither be taken for an answer nor keep one back. The harness reads the clocks a
second time from outside. The operations are described in ``backends/base.py``.
"""

from __future__ import annotations

import builtins
import sys

if __name__ == "__main__":
    if not getattr(sys.flags, "safe_path", False):
        del sys.path[0]  # our own folder
    globals()["__builtins__"] = dict(vars(builtins))  # what a patch does to builtins does not reach us
