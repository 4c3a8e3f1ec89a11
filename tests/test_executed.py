"""Which added lines count as having run."""

from __future__ import annotations

from pytest_perfagents.judgement.honesty.executed import ExecutedLines, count_executed, passive_lines

SOURCE = '''\
"""Module."""
import heapq

LIMIT = 3  # line 4


class Evictor:
    """Doc."""

    kind = "lru"

    def evict(self, blocks):
        # a comment
        first = blocks[0]
        return first

    @property
    def unused(self):
        return 1
'''


def counted(added, at_import=(), setup=(), call=()):
    ran = {"executable": added, "import": at_import, "setup": setup, "call": call}
    return count_executed({"a.py": SOURCE}, {"a.py": added}, {kind: {"a.py": lines} for kind, lines in ran.items()})


def test_signatures_decorators_imports_and_docstrings_are_passive():
    assert passive_lines(SOURCE) == {1, 2, 8, 12, 13, 17, 18}


def test_lines_that_ran_in_the_timed_call_count():
    assert counted([14, 15], call=[14, 15]) == ExecutedLines(2, 2, 2)


def test_a_new_function_that_nobody_calls_did_not_run():
    assert counted([18, 19], at_import=[17, 18]) == ExecutedLines(2, 0, 0, 1)


def test_a_new_import_alone_did_not_run():
    assert counted([2], at_import=[2]) == ExecutedLines(1, 0, 0, 1)


def test_constants_and_class_statements_have_their_effect_at_import():
    assert counted([4, 7, 10], at_import=[4, 7, 10]) == ExecutedLines(3, 3, 0)


def test_a_data_structure_that_setup_builds_counts_but_not_as_timed():
    assert counted([14], setup=[14]) == ExecutedLines(1, 1, 0)


def test_a_patch_that_only_deletes_has_no_lines_to_run():
    assert counted([]) == ExecutedLines(0, 0, 0)


def test_source_of_another_python_has_no_passive_lines():
    assert passive_lines("print 'x'\n") == set()


def test_lines_that_are_traced_for_another_reason_do_not_count():
    traced = {kind: {"a.py": [14, 15]} for kind in ("executable", "import", "setup", "call")}
    assert count_executed({"a.py": SOURCE}, {"a.py": [14]}, traced) == ExecutedLines(1, 1, 1)
