"""What a script's own report of trouble is called."""

from __future__ import annotations

from pytest_perfagents.diagnosis.advice import MODULE, advise
from pytest_perfagents.diagnosis.kinds import HARDWARE, hint_of_kind, kind_of, raised_by_script
from pytest_perfagents.diagnosis.modules import is_target
from pytest_perfagents.diagnosis.patterns import sought
from pytest_perfagents.diagnosis.types import Advice, Facts, Finding, Place, Raised
from pytest_perfagents.diagnosis.unavailable import unavailable_module
from pytest_perfagents.model import Blame, Category, Role
from pytest_perfagents.parsers.script_output import WORDLESS, ScriptReport

_OPT_PATH = "OPT_PATH"
_HINTS = {
    "OPT_PATH_NOT_TRIGGERED": (
        "choose a workload that reaches the changed lines, or drop the commit: it may change no code"
    ),
    "INVALID_CONFIG": "the script refuses its own configuration: see its setup()",
}


def reported(facts: Facts) -> Finding | None:
    """The script said what went wrong and left by itself."""
    report = facts.report
    if report is None or not report.blames or (facts.evidence.error is not None and not facts.left):
        return None
    text = report.error or "no error, only that its target is not resolved"
    raised = raised_by_script(text)
    module = unavailable_module(text)
    if module is not None and kind_of(raised) == "EXCEPTION":
        raised = Raised("ModuleNotFoundError", text, module)
    if not raised.type:
        raised = Raised(report.error_class or ("Exception" if text == WORDLESS else ""), text)
    chain = (raised, *_beneath(facts, raised))
    advice = advise(chain, facts.place, facts.log)
    reason = "" if advice and len(chain) == 1 and tells_all(advice, text) else f"reports: {text}"
    kind = kind_of(raised, report.error_name)
    category = _category(report, raised, kind, facts.place, advice)
    return Finding(category, reason, chain, advice, _hint(report, category, kind, facts.place))


def path_not_hit(facts: Facts) -> Finding | None:
    """The script ran, and says that the optimised code did not."""
    if facts.report is None or facts.report.opt_path_hit is not False:
        return None
    reason = "ran without reaching the optimised code path (opt_path_hit is false)"
    return Finding(Category.OPT_PATH_NOT_HIT, reason, hint=_HINTS["OPT_PATH_NOT_TRIGGERED"])


def category_of_import(raised: Raised, place: Place) -> Category:
    """A module to install; a source file of the measured package is the target that is missing."""
    found = MODULE.search(sought(raised.message))
    if found and is_target(found["module"], place):
        return target_not_resolved(place)
    return category_of_install(place)


def category_of_install(place: Place) -> Category:
    """Something that is not installed, or broken, so that an import fails."""
    return place.category("IMPORT_ERROR") if place.role is Role.PATCHED else Category.TEST_IMPORT_ERROR


def is_surroundings(advice: Advice | None) -> bool:
    """Whether the cause is known to lie in what surrounds the code: then it is no target that is missing."""
    return advice is not None and advice.blame is Blame.ENVIRONMENT


def tells_all(advice: Advice, text: str) -> bool:
    """Whether the advice's reason already holds what ``text`` tells: the name of a module and hardly more."""
    return advice.module is not None and len(text) < len(f"ModuleNotFoundError: No module named {advice.module!r}") + 12


def _category(report: ScriptReport, raised: Raised, kind: str, place: Place, advice: Advice | None) -> Category:
    if kind == HARDWARE:
        return Category.HARDWARE_UNAVAILABLE
    if kind in ("OOM", "CUDA_ERROR"):
        return place.category(kind)
    if raised.type == "ModuleNotFoundError":
        return category_of_import(raised, place)
    if report.error_name.startswith(_OPT_PATH) or _OPT_PATH in (report.error or ""):
        return Category.OPT_PATH_NOT_HIT
    if report.error_name == "EQUIVALENCE_FAILED":
        return Category.EQUIVALENCE_FAILED if place.role is Role.PATCHED else place.category("ASSERTION")
    if is_surroundings(advice):
        return category_of_install(place) if kind == "IMPORT_ERROR" else place.category(kind)
    if kind == "IMPORT_ERROR" or report.error_name.startswith("IMPORT_MISSING") or report.target_resolved is False:
        return target_not_resolved(place)
    if not raised.type and kind == "EXCEPTION" and report.opt_path_hit is False and not report.error_name:
        return Category.OPT_PATH_NOT_HIT
    return place.category(kind)


def target_not_resolved(place: Place) -> Category:
    """What is to be measured is not there: the patch's doing where the baseline has it."""
    patched = place.role is Role.PATCHED
    return Category.PATCHED_TARGET_NOT_RESOLVED if patched else Category.TARGET_NOT_RESOLVED


def _hint(report: ScriptReport, category: Category, kind: str, place: Place) -> str:
    if category is Category.OPT_PATH_NOT_HIT:
        return _HINTS["OPT_PATH_NOT_TRIGGERED"]
    if category is Category.TARGET_NOT_RESOLVED:
        return "the script does not find what it measures: name the target as this commit does, or guard it"
    return _HINTS.get(report.error_name) or hint_of_kind(kind, place, f"{report.error or ''} {report.error_name}")


def _beneath(facts: Facts, said: Raised) -> tuple[Raised, ...]:
    """What lay beneath a reported error, where the traceback of that very error was seen too."""
    for place, raised in enumerate(facts.raised):
        if raised.message and raised.type != "SystemExit" and raised.message in said.message:
            return facts.raised[place + 1 :]
    return ()
