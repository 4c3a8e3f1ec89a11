"""What benchmarks of inference engines print and write: vLLM's and SGLang's, old and new."""

from pytest_perfagents.parsers.benchmarks.reading import read_benchmark
from pytest_perfagents.parsers.benchmarks.types import Benchmark

__all__ = ["Benchmark", "read_benchmark"]
