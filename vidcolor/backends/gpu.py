"""Is there an NVIDIA GPU? Asked of the driver itself, so that a machine without one loads nothing for the answer."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from functools import cache

# Attributes of cuDeviceGetAttribute (CUDA driver API, enum CUdevice_attribute).
_CAPABILITY_MAJOR, _CAPABILITY_MINOR = 75, 76


@dataclass(frozen=True, slots=True)
class Gpu:
    """The first NVIDIA GPU of this machine (CUDA_VISIBLE_DEVICES chooses which that is)."""

    name: str
    capability: str  # compute capability, "9.0"
    memory: int  # bytes
    driver: str  # CUDA version of the driver, "13.0"


@cache
def find_gpu() -> Gpu | None:
    """The GPU that a run would use, or None where there is no driver or no device."""
    try:
        cuda = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return None
    device, count, version = ctypes.c_int(), ctypes.c_int(), ctypes.c_int()
    if cuda.cuInit(0) or cuda.cuDeviceGetCount(ctypes.byref(count)) or not count.value:
        return None
    name, memory = ctypes.create_string_buffer(256), ctypes.c_size_t()
    cuda.cuDriverGetVersion(ctypes.byref(version))
    cuda.cuDeviceGet(ctypes.byref(device), 0)
    cuda.cuDeviceGetName(name, len(name), device)
    cuda.cuDeviceTotalMem_v2(ctypes.byref(memory), device)
    capability = []
    for attribute in (_CAPABILITY_MAJOR, _CAPABILITY_MINOR):
        value = ctypes.c_int()
        cuda.cuDeviceGetAttribute(ctypes.byref(value), attribute, device)
        capability.append(str(value.value))
    major, minor = divmod(version.value, 1000)
    return Gpu(name.value.decode(), ".".join(capability), memory.value, f"{major}.{minor // 10}")
