"""A turn of several blocks: what stands in for pytest-benchmark's fixture, what is kept of the results, the sums."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from pytest_perfagents.worker.errors import Refusal
from pytest_perfagents.worker.tracing import Tracer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

MOST_KEPT = 4
"""Blocks of a turn of which a result is kept."""


class Recorder:
    """Stands in for pytest-benchmark's fixture: what it is called with is the experiment of this turn."""

    def __init__(
        self,
        timed: Callable[..., dict[str, Any]],
        iterations: int,
        tracer: Tracer,
        loud: Callable[[], None],
        keep: Callable[[list[Any], list[Any], int], None],
    ) -> None:
        self._timed, self._loud, self._keep = timed, loud, keep
        self._iterations = iterations
        self._tracer = tracer
        self._clock = time.perf_counter_ns
        self._entered: int | None = None
        self._left = 0
        self._taken: dict[str, Any] = {}
        self.extra_info: dict[str, Any] = {}
        self.group = self.param = self.params = self.stats = None
        self.name = self.fullname = "perfagents"
        self.enabled, self.disabled, self.has_error = True, False, False

    def __call__(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Time a function; returns its result, as the fixture does."""
        return self._measure(function, args, kwargs, None)

    def pedantic(
        self,
        target: Callable[..., Any],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        setup: Callable[[], Any] | None = None,
        teardown: Callable[..., Any] | None = None,
        **ignored: Any,
    ) -> Any:
        """Time a function with a set-up before every call; how many rounds is the harness's to decide."""
        return self._measure(target, args, kwargs or {}, setup, teardown)

    def _measure(self, function: Any, args: Any, kwargs: Any, setup: Any, teardown: Any = None) -> Any:
        if self._entered is not None:
            raise Refusal("the test uses its benchmark fixture twice")
        self._entered = self._clock()
        is_single = bool(setup or teardown)
        total: dict[str, Any] = {}
        results: list[Any] = []
        for number in range(self._iterations if is_single else 1):
            self._loud()
            made = setup() if setup else None
            now_args, now_kwargs = made if made is not None else (args, kwargs)
            self._tracer.enter("call")
            taken = self._timed(function, now_args, now_kwargs, 1 if is_single else self._iterations)
            self._tracer.enter("setup")
            if teardown:
                self._loud()
                teardown(*now_args, **now_kwargs)
            self._keep(results, taken.pop("results"), number)
            total = summed(total, taken)
        self._taken = {**total, "results": results}
        self._left = self._clock()
        return results[-1]


def make_keeper() -> Callable[[list[Any], list[Any], int], None]:
    """``keep(kept, results, number)``: of block ``number``. Kept are one result of some blocks, and the last of all.

    Every block is as likely to be among them (reservoir sampling, Vitter 1985, algorithm R).
    """
    urandom, number_of = os.urandom, int.from_bytes

    def keep(kept: list[Any], results: list[Any], number: int) -> None:
        chance = number_of(urandom(8), "little")
        one, place = results[chance % len(results)], chance // len(results) % (number + 1)
        if number < MOST_KEPT:
            kept[-1:] = [one, results[-1]]
            return
        if place < MOST_KEPT:
            kept[place] = one
        kept[-1] = results[-1]

    return keep


def summed(total: Mapping[str, Any], taken: dict[str, Any]) -> dict[str, Any]:
    """Two timed calls as one: times add up, memory is the larger; the rest is the later one's."""
    for name in ("wall_ns", "cpu_ns", "cuda_ms", "stream_ms"):
        taken[name] = taken[name] if taken[name] is None else taken[name] + (total.get(name) or 0)
    if taken["gpu_bytes"] is not None:
        taken["gpu_bytes"] = max(taken["gpu_bytes"], total.get("gpu_bytes") or 0)
    return taken


def collected(recorder: Recorder, began: int, ended: int) -> dict[str, Any]:
    """The times that a recorder took; all the rest of the test function counts as set-up."""
    taken = recorder._taken
    if not taken:
        raise Refusal("the test did not call its benchmark fixture")
    return {**taken, "setup_ns": ended - began - taken["wall_ns"]}
