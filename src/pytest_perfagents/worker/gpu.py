"""GPUs: waiting for them, and their own clock. By the driver's functions, not by torch's."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

DRIVER_FUNCTIONS = (
    "DeviceGetCount", "DeviceGet", "DeviceGetAttribute", "DevicePrimaryCtxGetState", "DevicePrimaryCtxRetain",
    "CtxPushCurrent_v2", "CtxPopCurrent_v2", "CtxSynchronize", "EventCreate", "EventRecord", "EventElapsedTime",
    "MemAlloc_v2", "MemFree_v2", "MemsetD8Async", "GetErrorString",
)  # fmt: skip
L2_CACHE_SIZE = 38  # CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE of cuda.h
UNKNOWN_L2_BYTES = 128 << 20


class Driver:
    """The CUDA driver's own functions: what is replaced in torch, or in ctypes, does not reach them.

    False where there is no NVIDIA driver. Loading it wakes nothing up: the process can still fork.
    """

    def __init__(self) -> None:
        self._functions: dict[str, Any] = {}
        try:
            import ctypes

            library = ctypes.CDLL("libcuda.so.1")
            functions = {name: getattr(library, "cu" + name) for name in DRIVER_FUNCTIONS}
        except (ImportError, OSError, AttributeError):
            return
        functions["CtxResetPersistingL2Cache"] = getattr(library, "cuCtxResetPersistingL2Cache", lambda: 0)
        self.byref, self.handle, self.integer = ctypes.byref, ctypes.c_void_p, ctypes.c_int
        self.size, self.address, self.milliseconds = ctypes.c_size_t, ctypes.c_uint64, ctypes.c_float
        self.text = ctypes.c_char_p
        self._functions = functions

    def __bool__(self) -> bool:
        return bool(self._functions)

    def ask(self, name: str, *arguments: Any) -> int:
        """CUDA's code: 0 where it did what was asked."""
        return int(self._functions[name](*arguments))

    def call(self, name: str, *arguments: Any) -> None:
        """Raises RuntimeError in torch's words; code that failed on the GPU is found out this way."""
        code = self.ask(name, *arguments)
        if code:
            words = self.text()
            self.ask("GetErrorString", code, self.byref(words))
            found = (words.value or b"error %d" % code).decode("ascii", "replace")
            raise RuntimeError("CUDA error: " + found + " (cu" + name + ")")


class Device:
    """One GPU that this process uses: its primary context, which torch and most others share, and three events."""

    def __init__(self, driver: Driver, number: int) -> None:
        self._driver = driver
        self._context = driver.handle()
        driver.call("DevicePrimaryCtxRetain", driver.byref(self._context), number)
        self._events = [driver.handle() for _ in range(3)]
        with self:
            for event in self._events:
                driver.call("EventCreate", driver.byref(event), 0)
        size = driver.integer()
        known = not driver.ask("DeviceGetAttribute", driver.byref(size), L2_CACHE_SIZE, number)
        self._bytes = 2 * (size.value if known and size.value > 0 else UNKNOWN_L2_BYTES)
        self._buffer: Any = None
        self._is_warm = False

    def __enter__(self) -> None:
        self._driver.call("CtxPushCurrent_v2", self._context)

    def __exit__(self, *raised: object) -> None:
        self._driver.ask("CtxPopCurrent_v2", self._driver.byref(self._driver.handle()))

    def wait(self) -> None:
        """Until all that was asked of this GPU is done, on every stream."""
        with self:
            self._driver.call("CtxSynchronize")

    def record(self, event: int) -> None:
        """Event 0, 1 or 2 on the default stream."""
        with self:
            self._driver.call("EventRecord", self._events[event], None)

    def elapsed_ms(self, first: int, last: int) -> float:
        """Between two events that have happened."""
        found = self._driver.milliseconds()
        with self:
            self._driver.call("EventElapsedTime", self._driver.byref(found), self._events[first], self._events[last])
        return float(found.value)

    def warm_up(self, nanoseconds: int, clock: Callable[[], int]) -> None:
        """Keep it busy so that its clocks rise: once in this process, where there is memory for it."""
        if self._is_warm:
            return
        self._is_warm = True
        until = clock() + nanoseconds
        if clock() < until and self._has_buffer():
            while clock() < until:
                for _ in range(8):
                    self._overwrite()
                self.wait()

    def flush(self) -> None:
        """Write twice the L2 cache full, so that no turn finds the data of the one before."""
        if not self._has_buffer():
            raise RuntimeError("CUDA error: out of memory: l2_flush wants " + str(self._bytes >> 20) + " MB of the GPU")
        with self:
            self._driver.ask("CtxResetPersistingL2Cache")  # such lines outlive being written over
        self._overwrite()

    def free(self) -> None:
        """Give the buffer back."""
        if self._buffer is not None:
            with self:
                self._driver.ask("MemFree_v2", self._buffer)
            self._buffer = None

    def _has_buffer(self) -> bool:
        if self._buffer is None:
            address = self._driver.address()
            with self:
                if not self._driver.ask("MemAlloc_v2", self._driver.byref(address), self._driver.size(self._bytes)):
                    self._buffer = address
        return self._buffer is not None

    def _overwrite(self) -> None:
        with self:
            self._driver.call("MemsetD8Async", self._buffer, 0, self._driver.size(self._bytes), None)


class Gpu:
    """Waits for the GPUs that this process uses, and times what they do.

    Every GPU on which the process has a context is waited for, whatever stream, thread or library gave it work.
    ``cuda_ms`` is between two events that are recorded while all of them rest, so that work on any stream lies between
    them. ``stream_ms`` ends already where the default stream has come to the end of the calls: what a harness sees that
    waits for that stream alone. Where only torch can drive the GPU (AMD's), it is waited for and nothing else.
    """

    def __init__(self, spec: Mapping[str, Any]) -> None:
        self._driver = Driver()
        self._devices: dict[int, Device] = {}
        self._warmup_ns = int(1e9 * spec.get("gpu_warmup_s", 0.0))
        self._flushes = bool(spec.get("l2_flush", False))
        self._clock = time.perf_counter_ns
        self._torch, self._memory = make_torch_wait(), make_memory()

    def look(self) -> bool:
        """Whether this process uses a GPU now; asking wakes none up."""
        driver = self._driver
        if not driver:
            return self._torch(False)
        count, device, flags, active = driver.integer(), driver.integer(), driver.integer(), driver.integer()
        if driver.ask("DeviceGetCount", driver.byref(count)):
            return False  # CUDA was not initialised, neither by torch nor by anybody
        for number in range(count.value):
            if number in self._devices or driver.ask("DeviceGet", driver.byref(device), number):
                continue
            state = driver.ask("DevicePrimaryCtxGetState", device, driver.byref(flags), driver.byref(active))
            if state == 0 and active.value:
                self._devices[number] = Device(driver, device.value)
        return bool(self._devices)

    def wait(self) -> None:
        """Until every GPU in use rests, also those that the last call woke up."""
        if self._driver:
            if self.look():
                for device in self._devices.values():
                    device.wait()
        else:
            self._torch(True)

    def begin(self) -> bool:
        """Bring all GPUs to rest and start their clock; False where there is no event to end it by."""
        self.wait()
        if not self._devices:
            return False
        for device in self._devices.values():
            device.warm_up(self._warmup_ns, self._clock)
            if self._flushes:
                device.flush()
            else:
                device.free()
            device.wait()
        self._memory(self._devices, True)
        self._timekeeper().record(0)
        return True

    def end(self, began: bool) -> None:
        """Within the wall clock's time: note where the default stream is, and wait for all others."""
        if began:
            self._timekeeper().record(1)
        self.wait()

    def read(self, began: bool) -> dict[str, Any]:
        """``cuda_ms``, ``stream_ms`` and ``gpu_bytes`` of what lay between; None where they are not known."""
        if not began:
            return {"cuda_ms": None, "stream_ms": None, "gpu_bytes": None}
        keeper = self._timekeeper()
        keeper.record(2)
        keeper.wait()
        return {
            "cuda_ms": keeper.elapsed_ms(0, 2),
            "stream_ms": keeper.elapsed_ms(0, 1),
            "gpu_bytes": self._memory(self._devices, False),
        }

    def _timekeeper(self) -> Device:
        return next(iter(self._devices.values()))


def make_torch_wait() -> Callable[[bool], bool]:
    """``look(wait)``: whether torch uses a GPU; waits for it too. torch's functions as they were when first seen."""
    modules = sys.modules
    found: list[Any] = []

    def look(wait: bool) -> bool:
        if not found and "torch" in modules:
            try:
                cuda = modules["torch"].cuda
                found.append((cuda.is_initialized, cuda.synchronize))
            except AttributeError:
                return False  # torch is not imported to its end, or is no torch
        if not found or not found[0][0]():
            return False
        if wait:
            found[0][1]()
        return True

    return look


def make_memory() -> Callable[[Iterable[int], bool], int | None]:
    """``peak(devices, reset)``: most bytes that torch's allocator held since the last reset; None without torch.

    By torch's own word: it is shown, and no verdict hangs on it.
    """
    modules = sys.modules

    def peak(devices: Iterable[int], reset: bool) -> int | None:
        try:
            torch = modules["torch"]._C
            held = 0
            for number in devices:
                if reset:
                    torch._cuda_resetPeakMemoryStats(number)
                else:
                    held += int(torch._cuda_memoryStats(number)["allocated_bytes"]["all"]["peak"])
            return held
        except Exception:
            return None

    return peak
