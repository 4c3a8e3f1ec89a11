"""GPUs, their drivers, NCCL and the CUDA toolkit, where the fault is theirs: a table of advice."""

from __future__ import annotations

import re

from pytest_perfagents.diagnosis.types import Rule, fixed

DRIVERS: tuple[Rule, ...] = (
    (
        re.compile(r"Driver Not Loaded|CUDA driver library cannot be found"),
        fixed(
            "finds no NVIDIA driver",
            "see whether nvidia-smi answers there: load the driver (modprobe nvidia), or hand the GPU to the container "
            "(--gpus all)",
            "need a loaded NVIDIA driver",
        ),
    ),
    (
        re.compile(r"(?i)NVML/RM version mismatch|driver/library version mismatch"),
        fixed(
            "meets an NVIDIA driver whose kernel module and libraries are of two versions, as after an update",
            "restart that machine, or load its NVIDIA kernel modules again",
            "need a restart of the machine after a driver update",
        ),
    ),
    (
        re.compile(r'could not select device driver "[^"\n]*" with capabilities'),
        fixed(
            "asks for a container with a GPU, and Docker has no driver for it",
            "install the NVIDIA container toolkit where Docker runs, then: nvidia-ctk runtime configure "
            "--runtime=docker; restart Docker",
            "need Docker with GPUs",
        ),
    ),
    (
        re.compile(r"(?P<dtype>fp8\w+) not supported in this architecture"),
        fixed(
            "runs a kernel of Triton in {dtype}, which this GPU does not have",
            "run it on a GPU with 8-bit floats: compute capability 8.9 or newer, such as L4 or H100",
            "need a GPU with 8-bit floats",
        ),
    ),
    (
        re.compile(r"(?:requires|only supported on) CUDA (?:version |toolkit )?(?P<least>\d+(?:\.\d+)?)"),
        fixed(
            "needs the CUDA toolkit in version {least} or newer",
            "install it and set CUDA_HOME in env of [repos.{repo}]; nvcc -V tells the one that is there",
            "need CUDA {least} or newer",
        ),
    ),
    (
        re.compile(r"detected CUDA version \((?P<here>[\d.]+)\) mismatches[^(]*\((?P<torch>[\d.]+)\)"),
        fixed(
            "compiles with CUDA {here}, and torch was built for {torch}",
            "install the CUDA toolkit {torch} and set CUDA_HOME in env of [repos.{repo}]",
            "need the CUDA toolkit {torch}",
        ),
    ),
    (
        re.compile(r"cuDNN version incompatibility"),
        fixed(
            "loads another cuDNN than the one that torch was built with",
            "torch brings its own: take the folder with the other cuDNN out of LD_LIBRARY_PATH (env of [repos.{repo}])",
            "need the cuDNN that torch brings",
        ),
    ),
    (
        re.compile(r"uncorrectable ECC error"),
        fixed(
            "met an error in the GPU's memory, which the GPU cannot correct",
            "run it on another GPU; nvidia-smi -q -d ECC shows the errors of this one, which its owner has to reset",
            "need a GPU whose memory is sound",
        ),
    ),
    (
        re.compile(r"Error 802: |system not yet initialized"),
        fixed(
            "finds GPUs that are not yet initialized: the fabric manager of their NVSwitch does not run",
            "start it: systemctl start nvidia-fabricmanager, in the version of the driver",
            "need the NVIDIA fabric manager",
        ),
    ),
    (
        re.compile(r"Error 803: |unsupported display driver"),
        fixed(
            "loads a libcuda that does not go with the driver",
            "restart the machine after an update of the driver; in a container take the libcuda of the image "
            "(/usr/local/cuda/compat) out of LD_LIBRARY_PATH",
            "need a libcuda that goes with the driver",
        ),
    ),
    (
        re.compile(r"devices are busy or unavailable"),
        fixed(
            "finds the GPU taken",
            "see with nvidia-smi what holds it: end that, or let more than one in (nvidia-smi -c DEFAULT)",
            "need a GPU that is free",
        ),
    ),
    (
        re.compile(r"CUDA unknown error"),
        fixed(
            "cannot initialize CUDA",
            "see whether nvidia-smi answers, load the driver's modules (modprobe nvidia-uvm), and set "
            "CUDA_VISIBLE_DEVICES before the start only",
            "need a CUDA that initializes",
        ),
    ),
    (
        re.compile(r"Duplicate GPU detected"),
        fixed(
            "puts two ranks on one GPU",
            "give every rank a GPU of its own: as many GPUs as ranks, and torch.cuda.set_device(local_rank)",
            "need a GPU for each rank",
        ),
    ),
    (
        re.compile(r"Watchdog caught collective operation timeout"),
        fixed(
            "waited in vain for another rank (NCCL's watchdog)",
            "see which rank stopped first: the first exception of any rank in the log; NCCL_DEBUG=INFO tells more",
            "need all ranks to answer",
        ),
    ),
    (
        re.compile(r"\bNCCL error(?![\s\S]*out of memory)"),
        fixed(
            "met an error of NCCL, between the GPUs",
            "run it with NCCL_DEBUG=INFO, which names the cause: mostly a small /dev/shm, the network between the "
            "GPUs, or another rank that ended first",
            "need an NCCL that works",
        ),
    ),
)
