"""Compiled files that do not go with what is installed: a table of advice."""

from __future__ import annotations

import re

from pytest_perfagents.diagnosis.patterns import either
from pytest_perfagents.diagnosis.types import Rule, fixed

# Source: NumPy 2.0.0 release notes, "New Features" and "NumPy 2.0 Python API removals".
_NUMPY_2 = (
    "trapezoid|astype|matrix_transpose|vecdot|concat|permute_dims|pow|a(?:cos|cosh|sin|sinh|tan|tan2|tanh)|isdtype|"
    "bitwise_(?:count|invert|left_shift|right_shift)|unique_(?:all|counts|inverse|values)|unstack|matvec|vecmat|"
    "cumulative_(?:sum|prod)"
)
BINARIES: tuple[Rule, ...] = (
    (
        re.compile(r"undefined symbol: \w+"),
        fixed(
            "loads a compiled file that was built against another torch or Python",
            "build it again with this interpreter's torch, or install the torch that it was built with",
            "need compiled files that match torch",
        ),
    ),
    (
        re.compile(r"version `(?P<version>(?:GLIBC|GLIBCXX|CXXABI)_[\d.]+)' not found"),
        fixed(
            "loads a compiled file that wants {version}, which this system's libraries are too old for",
            "build that file on this system, or give it newer libraries: GLIBCXX and CXXABI come with a newer "
            "libstdc++ (of conda, by LD_LIBRARY_PATH in env of [repos.{repo}]), GLIBC with a newer system",
            "need {version}",
        ),
    ),
    (
        re.compile(r"Expected 96 from C header, got 88"),
        fixed("needs NumPy 2", 'pip install "numpy>=2"', "need NumPy 2"),
    ),
    (
        either(
            rf"module 'numpy' has no attribute '(?:{_NUMPY_2})'",
            rf"cannot import name '(?:{_NUMPY_2})' from 'numpy'",
        ),
        fixed("needs NumPy 2", 'pip install "numpy>=2"', "need NumPy 2"),
    ),
    (
        re.compile(r"module 'numpy' has no attribute '(?P<name>float(?:96|128)|complex(?:192|256))'"),
        fixed(
            "wants numpy.{name}, which NumPy has on some platforms only",
            "run it on Linux on x86-64, or let it take numpy.longdouble",
            "need a platform with numpy.{name}",
        ),
    ),
    (
        re.compile(r"module 'numpy' has no attribute '(?:bool|int|float|complex|object|str|long|unicode|typeDict)'"),
        fixed("needs an older NumPy", 'pip install "numpy<1.24"', "need an older NumPy"),
    ),
    (
        either(
            r"compiled using NumPy 1\.x|numpy\.dtype size changed",
            r"_ARRAY_API not found|numpy\.core\.multiarray failed to import",
            r"module 'numpy' has no attribute|`np\.\w+` was removed",
        ),
        fixed("needs an older NumPy", 'pip install "numpy<2"', "need an older NumPy"),
    ),
    (
        re.compile(r"Descriptors cannot (?:not )?be created directly"),
        fixed("needs an older protobuf", 'pip install "protobuf<3.21"', "need an older protobuf"),
    ),
)
