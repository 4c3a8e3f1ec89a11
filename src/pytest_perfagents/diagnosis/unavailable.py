"""A module that is not there, in the words of scripts and libraries: "X is not installed", "X_not_available"."""

from __future__ import annotations

import re

from pytest_perfagents.diagnosis.modules import DISTRIBUTIONS
from pytest_perfagents.diagnosis.patterns import either, sought

# Whole sentences: what is not available here, or for that, is something else than a module.
_UNAVAILABLE = either(
    r"^(?:\w*Error: )?(?P<id>[a-z]\w*?)_(?:is_)?not_(?:available|installed)\.?$",
    r"^(?:\w*Error: )?(?:[Tt]he |[Rr]equired |[Oo]ptional )*"
    r"(?:(?:[Pp]ython )?(?:[Pp]ackage|[Mm]odule|[Ll]ibrary|[Dd]ependency) )?"
    r"['\"`]?(?P<word>[A-Za-z]\w*)['\"`]?(?: (?:package|module|library))? "
    r"(?:is |was )?not (?P<how>installed|available)\b(?! (?:on|for|in|with|at|by|when|before|until|yet|as)\b)",
)
# What is named so is no module of Python, or pip does not bring it.
_NO_MODULE = re.compile(
    r"(?i)(?:^|_)(?:api|attribute|backend|baseline|class|cuda|cudnn|data|dataset|device|docker|driver|dtype|feature|"
    r"file|function|gcc|git|gpus?|hardware|hpu|impl|implementation|input|it|kernels?|method|metrics|mode|model|module|"
    r"mps|nccl|nvcc|operation|operators?|ops?|option|output|package|paths?|patch|reference|results?|rocm|script|"
    r"server|support|symbols?|targets?|that|this|tokenizer|toolkit|tpu|version|weights|which|xpu)$"
)


def unavailable_module(text: str) -> str | None:
    """The module of which ``text`` says that it is not installed or not available, or ``None``."""
    found = _UNAVAILABLE.search(sought(text.strip()))
    name = (found["id"] or found["word"]) if found else ""
    if found is None or name in DISTRIBUTIONS:
        return name or None
    is_feature = found["how"] == "available" and not name.islower()  # "FP8 is not available"
    return None if is_feature or _NO_MODULE.search(name) else name
