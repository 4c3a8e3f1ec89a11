"""Which distribution brings a module, where its name does not say it."""

from __future__ import annotations

# Import name -> what installs it, where the two differ (PyPI takes "-" and "_" for the same).
DISTRIBUTIONS = {
    "Crypto": "pycryptodome",
    "IPython": "ipython",
    "Levenshtein": "python-Levenshtein",
    "MeCab": "mecab-python3",
    "OpenSSL": "pyopenssl",
    "PIL": "pillow",
    "absl": "absl-py",
    "attr": "attrs",
    "bs4": "beautifulsoup4",
    "causal_conv1d": "causal-conv1d --no-build-isolation",
    "cupy": "cupy-cuda12x",
    "cutlass": "nvidia-cutlass-dsl",
    "cv2": "opencv-python-headless",
    "dateutil": "python-dateutil",
    "docx": "python-docx",
    "dotenv": "python-dotenv",
    "faiss": "faiss-cpu",
    "fitz": "PyMuPDF",
    "flash_attn": "flash-attn --no-build-isolation",
    "flashinfer": "flashinfer-python",
    "git": "GitPython",
    "grpc": "grpcio",
    "hydra": "hydra-core",
    "intel_extension_for_pytorch": "intel-extension-for-pytorch",
    "jwt": "PyJWT",
    "llama_cpp": "llama-cpp-python",
    "lmformatenforcer": "lm-format-enforcer",
    "magic": "python-magic",
    "mamba_ssm": "mamba-ssm --no-build-isolation",
    "multipart": "python-multipart",
    "nacl": "pynacl",
    "pkg_resources": '"setuptools<81"',
    "pptx": "python-pptx",
    "psycopg2": "psycopg2-binary",
    "pynvml": "nvidia-ml-py",
    "ruamel": "ruamel.yaml",
    "serial": "pyserial",
    "sgl_kernel": "sgl-kernel",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "snappy": "python-snappy",
    "torch_xla": "torch-xla",
    "umap": "umap-learn",
    "yaml": "pyyaml",
    "zmq": "pyzmq",
}

# Packages of many distributions, each of which brings one folder of it; None stands for a name made of the module's.
_SHARED: dict[str, str | None] = {
    "cuda": "cuda-python",
    "google": "protobuf",
    "google.auth": "google-auth",
    "google.oauth2": "google-auth",
    "google.api_core": "google-api-core",
    "google.cloud": None,
    "google.genai": "google-genai",
    "google.generativeai": "google-generativeai",
    "google.protobuf": "protobuf",
    "googleapiclient": "google-api-python-client",
    "mpl_toolkits": "matplotlib",
    "nvidia": None,
}
_CUDA = "cu12"

# Modules that only some versions have; the pin is one that did.
VERSIONS = (
    ("outlines.fsm", '"outlines>=0.0.44,<0.1"'),
    ("outlines.caching", '"outlines<0.1"'),
    ("outlines_core.fsm", '"outlines-core<0.2"'),
    ("pkg_resources", '"setuptools<81"'),
    ("numpy._core", '"numpy>=2"'),
)

# Not on the package index under any name, or there as something else.
ELSEWHERE = {
    "aiter": "build AITER from github.com/ROCm/aiter (the aiter of PyPI is another); it needs an AMD GPU",
    "amdsmi": "it comes with ROCm (/opt/rocm/share/amd_smi) and needs an AMD GPU",
    "apex": "build NVIDIA Apex from github.com/NVIDIA/apex: the apex of PyPI is another",
    "deep_ep": "build DeepEP from github.com/deepseek-ai/DeepEP; it needs NVIDIA GPUs",
    "deep_gemm": "build DeepGEMM from github.com/deepseek-ai/DeepGEMM; it needs an NVIDIA GPU",
    "flash_attn_2_cuda": (
        "flash-attn is there without its compiled part: build it again for this torch: pip install --force-reinstall "
        "--no-deps --no-build-isolation --no-cache-dir flash-attn"
    ),
    "flash_attn_interface": (
        "build FlashAttention 3, the folder hopper/ of github.com/Dao-AILab/flash-attention; it needs a Hopper GPU"
    ),
    "habana_frameworks": "it is part of Intel Gaudi's software and needs that hardware",
    "torch_npu": "it is part of Huawei Ascend's software and needs that hardware",
    "transformers_neuronx": "it is part of the AWS Neuron SDK and needs that hardware",
    "triton_kernels": "install it from the folder python/triton_kernels of github.com/triton-lang/triton",
}


def shared_package(module: str) -> str | None:
    """``google-cloud-storage`` for ``google.cloud.storage``: who brings that part of a shared package; or ``None``."""
    parts = module.split(".")
    known = next((".".join(parts[:n]) for n in range(len(parts), 0, -1) if ".".join(parts[:n]) in _SHARED), None)
    if known is None or (_SHARED[known] is None and known == module):
        return None
    own = _SHARED[known]
    if own is not None:
        return own
    named = "-".join(parts[: known.count(".") + 2]).replace("_", "-")
    return f"{named}-{_CUDA}" if known == "nvidia" else named


def install(module: str) -> str:
    """The command that brings an import name."""
    for beginning, pin in VERSIONS:
        if module == beginning or module.startswith(beginning + "."):
            return f"pip install {pin}"
    top = module.split(".")[0]
    return f"pip install {shared_package(module) or DISTRIBUTIONS.get(top, top)}"
