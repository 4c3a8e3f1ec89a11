from __future__ import annotations

import time
from pathlib import Path

import pytest
from gitkit import diff, git, make_repository, tree, write
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_perfagents.config import RepoConfig
from pytest_perfagents.gitrepo.applying import apply_patch
from pytest_perfagents.gitrepo.kinds import Kind, kind_of
from pytest_perfagents.gitrepo.locating import located
from pytest_perfagents.gitrepo.patches import Patch, PatchFailure, read_patch
from pytest_perfagents.model import Blame, Category, Stage

INVALID, FAILED, BUILD = Category.PATCH_INVALID, Category.PATCH_APPLY_FAILED, Category.NEEDS_BUILD
REPO = RepoConfig("demo", Path("clone"), packages=("pkg",))
CORE = "".join(f"line_{number} = {number}\n" for number in range(1, 41))
HEAD = b"diff --git a/pkg/core.py b/pkg/core.py\n--- a/pkg/core.py\n+++ b/pkg/core.py\n"
FASTER = CORE.replace("line_20 = 20\n", "line_20 = 20\nfaster = True\n")


def new_file(path: str, line: str, mode: str = "100644") -> bytes:
    """The section of a patch that makes a file of one line."""
    header = f"diff --git a/{path} b/{path}\nnew file mode {mode}\n--- /dev/null\n+++ b/{path}\n"
    return f"{header}@@ -0,0 +1 @@\n+{line}\n".encode()


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    files: dict[str, str | bytes] = {
        "pkg/__init__.py": "",
        "pkg/core.py": CORE,
        "pkg/old.py": "old = 1\n" * 9,
        "pkg/dos.py": CORE.replace("\n", "\r\n"),
        "pkg/latin.py": b"# caf\xe9\n" + CORE.encode(),
        "pkg/unended.py": "a = 1\nb = 2",
        "pkg/table.json": "{}\n",
        "pkg/blob.bin": bytes(range(256)),
        "README.md": "read me\n",
        "csrc/kernel.cu": "int x;\n",
    }
    return make_repository(tmp_path / "clone", files)


def refused(text: bytes, category: Category, clone: Path | None = None, repo: RepoConfig = REPO) -> PatchFailure:
    """The failure of reading ``text``, or of applying it to ``clone``, which then stays as it was."""
    before = tree(clone) if clone else {}
    with pytest.raises(PatchFailure) as caught:
        patch = read_patch(text, repo)
        assert clone is not None, "it can be read, so it needs a worktree to fail on"
        apply_patch(clone, patch)
    if clone:
        assert tree(clone) == before
    failure = caught.value.failure()
    assert failure.category is category, caught.value
    assert failure.stage is Stage.PREPARE
    assert failure.blame is (Blame.ENVIRONMENT if category is BUILD else Blame.AGENT)
    return caught.value


def applied(text: bytes, clone: Path, repo: RepoConfig = REPO) -> tuple[Patch, tuple[str, ...]]:
    patch = read_patch(text, repo)
    return patch, apply_patch(clone, patch)


def test_a_plain_patch(clone: Path) -> None:
    patch, flags = applied(diff(clone, {"pkg/core.py": FASTER}), clone)
    assert (clone / "pkg/core.py").read_text() == FASTER
    assert patch.added_lines == {"pkg/core.py": (21,)}
    assert patch.kinds == {"pkg/core.py": Kind.PYTHON}
    assert not patch.has_data_files
    assert flags == ()


def test_the_digest_is_that_of_the_text_as_it_came(clone: Path) -> None:
    text = diff(clone, {"pkg/core.py": FASTER})
    assert read_patch(text, REPO).sha256 != read_patch(text.rstrip(), REPO).sha256


@pytest.mark.parametrize("text", [b"", b"\n \n"])
def test_empty(text: bytes) -> None:
    assert "empty" in refused(text, INVALID).reason


@pytest.mark.parametrize(
    "text",
    [
        b"I have optimised the scheduler.\n",
        b"\x00\xff\xfe binary rubbish",
        b"--- a/pkg/core.py\nno target\n",
        b"@@ -1 +1 @@\n-a\n+b\n",
        HEAD + b"@@ -1,9 +1,9 @@\n line_1 = 1\n",
        HEAD + b"@@ -1 +1 @@\n?\n",
    ],
)
def test_malformed(text: bytes) -> None:
    assert "is no diff" in refused(text, INVALID).reason


PIECES = [
    *("diff --git a/pkg/x.py b/pkg/x.py", "diff --git x y", "diff --git a/pkg/link b/pkg/link"),
    *("--- a/pkg/x.py", "+++ b/pkg/x.py", "+++ /dev/null", "--- /dev/null", '--- "a/\\tx"', "\udcff"),
    *("@@ -1 +1 @@", "@@ -0,0 +1,2 @@", "+a", "-b", " c", "", "\\ No newline at end of file"),
    *("GIT binary patch", "literal 3", "Binary files a/x and b/x differ"),
    *('rename from "a\\303', "rename to b", "new file mode 120000", "deleted file mode 100644"),
]


@settings(deadline=None, max_examples=200)
@given(st.lists(st.sampled_from(PIECES)))
def test_reading_never_raises_anything_else(lines: list[str]) -> None:
    try:
        patch = read_patch("\n".join(lines).encode(errors="surrogateescape"), REPO)
    except PatchFailure as failure:
        assert failure.reason.isprintable()
    else:
        assert patch.files


def test_nothing_that_could_be_loaded(clone: Path) -> None:
    readme = refused(diff(clone, {"README.md": "faster\n"}), INVALID)
    assert "no file that the measured code could load, only README.md" in readme.reason
    assert "pkg/" in (readme.hint or "")
    refused(diff(clone, {"test_opt.py": "import pkg\n", "model_patch.diff": "x\n"}), INVALID)
    refused(diff(clone, {"pkg/README.md": "faster\n", "other/core.py": "x = 1\n"}), INVALID)


def test_scratch_beside_a_real_change(clone: Path) -> None:
    own = diff(clone, {"pkg/core.py": FASTER})
    text = diff(clone, {"pkg/core.py": FASTER, "test_opt.py": "x = 1\n", "model_patch.diff": own})
    patch, flags = applied(text, clone)
    assert patch.paths(Kind.SCRATCH) == ("model_patch.diff", "test_opt.py")
    assert patch.added_lines == {"pkg/core.py": (21,)}
    assert (clone / "model_patch.diff").read_bytes() == own
    assert flags == ()


@pytest.mark.parametrize(
    "path",
    [
        "csrc/kernel.cu",
        "pkg/fast.pyx",
        "setup.py",
        "CMakeLists.txt",
        "rust/src/lib.rs",
        "scratch/try.cpp",
        "pkg/a.h",
    ],
)
def test_compiled_sources_need_a_build(clone: Path, path: str) -> None:
    text = diff(clone, {"pkg/core.py": FASTER, path: "changed\n"})
    failure = refused(text, BUILD)
    assert path in failure.reason
    assert "`build` of [repos.demo]" in (failure.hint or "")
    built = RepoConfig("demo", Path("clone"), packages=("pkg",), build=(("make",),))
    patch, _ = applied(text, clone, built)
    assert patch.paths(Kind.COMPILED) == (path,)
    assert patch.has_data_files


def test_data_files_of_a_package_can_be_loaded(clone: Path) -> None:
    patch, _ = applied(diff(clone, {"pkg/table.json": '{"block": 64}\n'}), clone)
    assert patch.has_data_files
    assert patch.added_lines == {}


def test_a_package_below_an_import_root() -> None:
    repo = RepoConfig("sglang", Path("clone"), import_root="python", packages=("sglang", "a.b"))
    assert kind_of("python/sglang/srt/x.py", repo) is Kind.PYTHON
    assert kind_of("python/a/b/x.py", repo) is Kind.PYTHON
    assert kind_of("python/a/x.py", repo) is Kind.SCRATCH
    assert kind_of("sglang/srt/x.py", repo) is Kind.SCRATCH
    assert kind_of("python/sglang.py", repo) is Kind.PYTHON
    assert kind_of("python/sglang_more/x.py", repo) is Kind.SCRATCH


def test_a_conflict_names_file_and_hunk(clone: Path) -> None:
    both = CORE.replace("line_3 = 3", "line_3 = 33").replace("line_30 = 30", "line_30 = 33")
    text = diff(clone, {"pkg/core.py": both, "pkg/old.py": "new = 1\n"})
    write(clone, {"pkg/core.py": CORE.replace("line_30 = 30", "line_30 = 0")})
    failure = refused(text, FAILED, clone)
    assert failure.reason == "pkg/core.py: hunk 2 of 2, at line 27, does not fit the file"
    assert "does not apply" in failure.evidence["git"]


def test_paths_that_are_not_in_the_repository(clone: Path) -> None:
    text = diff(clone, {"pkg/core.py": FASTER}).replace(b"pkg/core.py", b"pkg/gone.py")
    assert "pkg/gone.py is not in the repository" in refused(text, FAILED, clone).reason


@pytest.mark.parametrize(
    "path",
    [
        "../out.py",
        "pkg/../../out.py",
        "/tmp/out.py",
        ".git/hooks/post-checkout",
        "pkg/.GIT/config",
        "pkg/.git./x",
    ],
)
def test_paths_that_lead_elsewhere(clone: Path, path: str) -> None:
    text = diff(clone, {"pkg/core.py": FASTER}) + new_file(path, "x = 1")
    reason = refused(text, FAILED, clone).reason
    where = "lies in the repository's .git" if "git" in path.lower() else "leads out of the repository"
    assert reason == f"the path {path!r} in the patch {where}"
    assert not (clone.parent / "out.py").exists()


def test_a_traditional_patch_with_an_absolute_path(clone: Path) -> None:
    out = clone.parent / "out.py"
    refused(f"--- /dev/null\n+++ {out}\n@@ -0,0 +1 @@\n+x = 1\n".encode(), FAILED, clone)
    assert not out.exists()


@pytest.mark.parametrize("target", ["../..", "/etc/passwd", "up/..", "../.git", "link"])
def test_links_that_lead_out(clone: Path, target: str) -> None:
    (clone / "pkg/up").symlink_to("..")  # a link of the repository's own
    git(clone, "add", "pkg/up")
    git(clone, "commit", "-qm", "link")
    link = clone / "pkg/link"
    link.symlink_to(target)
    text = diff(clone, {"pkg/core.py": FASTER})
    assert b"120000" in text
    failure = refused(text, FAILED, clone)
    assert "pkg/link becomes a symbolic link that leads out of the workspace" in failure.reason
    assert not link.is_symlink()


def test_a_link_that_stays_inside(clone: Path) -> None:
    (clone / "pkg/link.py").symlink_to("core.py")
    text = diff(clone, {"pkg/core.py": FASTER})
    applied(text, clone)
    assert (clone / "pkg/link.py").read_text() == FASTER


def test_a_file_turned_into_a_link_that_leads_out(clone: Path) -> None:
    (clone / "pkg/old.py").unlink()
    (clone / "pkg/old.py").symlink_to("/etc/passwd")
    refused(diff(clone, {"pkg/core.py": FASTER}), FAILED, clone)


def test_a_link_moved_to_where_it_leads_out(clone: Path) -> None:
    (clone / "pkg/deep").mkdir()
    (clone / "pkg/deep/link").symlink_to("../../pkg")
    git(clone, "add", "pkg/deep/link")
    git(clone, "commit", "-qm", "link")
    text = b"diff --git a/pkg/deep/link b/link\nsimilarity index 100%\n"
    text += b"rename from pkg/deep/link\nrename to link\n"
    refused(diff(clone, {"pkg/core.py": FASTER}) + text, FAILED, clone)


def test_writing_through_a_link(clone: Path) -> None:
    outside = clone.parent / "outside"
    outside.mkdir()
    (clone / "pkg/door").symlink_to(outside)
    git(clone, "add", "pkg/door")
    git(clone, "commit", "-qm", "door")
    through = refused(new_file("pkg/door/x.py", "x = 1"), FAILED, clone)
    assert "through a symbolic link" in through.reason
    link = new_file("pkg/gate", str(outside), "120000") + b"\\ No newline at end of file\n"
    refused(link + new_file("pkg/gate/x.py", "x = 1"), FAILED, clone)
    assert list(outside.iterdir()) == []


def test_binary_with_its_data(clone: Path) -> None:
    content = bytes(reversed(range(256)))
    applied(diff(clone, {"pkg/core.py": FASTER, "pkg/blob.bin": content, "plot.png": content}), clone)
    assert (clone / "pkg/blob.bin").read_bytes() == (clone / "plot.png").read_bytes() == content


def test_binary_without_data(clone: Path) -> None:
    content = bytes(reversed(range(256)))
    scratch = diff(clone, {"pkg/core.py": FASTER, "a [1].png": content, "b.pyc": content}, "--no-color")
    assert b"Binary files" in scratch
    _, flags = applied(scratch, clone)
    assert (clone / "pkg/core.py").read_text() == FASTER
    assert not (clone / "a [1].png").exists()
    assert flags == (
        "binary section without data left out: a [1].png",
        "bytecode in the patch left out: b.pyc",
    )
    git(clone, "checkout", "--quiet", ".")
    needed = diff(clone, {"pkg/core.py": FASTER, "pkg/blob.bin": content}, "--no-color")
    assert "pkg/blob.bin" in refused(needed, FAILED, clone).reason


def test_binary_on_another_content(clone: Path) -> None:
    text = diff(clone, {"pkg/core.py": FASTER, "pkg/blob.bin": b"\x00new"})
    write(clone, {"pkg/blob.bin": b"\x00other"})
    assert "pkg/blob.bin" in refused(text, FAILED, clone).reason


def test_bytecode_is_left_out(clone: Path) -> None:
    text = diff(clone, {"pkg/core.py": FASTER, "pkg/__pycache__/core.cpython-311.pyc": b"\x00\x01"})
    _, flags = applied(text, clone)
    assert not (clone / "pkg/__pycache__").exists()
    assert len(flags) == 1


def test_a_crlf_patch_on_an_lf_file(clone: Path) -> None:
    text = diff(clone, {"pkg/core.py": FASTER}).replace(b"\n", b"\r\n")
    _, flags = applied(text, clone)
    assert (clone / "pkg/core.py").read_bytes() == FASTER.encode()
    assert flags


def test_a_patch_whose_hunks_alone_are_crlf(clone: Path) -> None:
    lines = diff(clone, {"pkg/core.py": FASTER}).split(b"\n")
    text = b"\n".join(line + b"\r" if line[:1] in (b" ", b"+") and line[:3] != b"+++" else line for line in lines)
    _, flags = applied(text, clone)
    assert (clone / "pkg/core.py").read_bytes() == FASTER.encode()
    assert flags == ("line endings of the patch adapted to those of the files",)


def test_an_lf_patch_on_a_crlf_file(clone: Path) -> None:
    changed = FASTER.replace("\n", "\r\n").encode()
    text = diff(clone, {"pkg/dos.py": changed, "pkg/core.py": FASTER}).replace(b"\r", b"")
    patch, flags = applied(text, clone)
    assert (clone / "pkg/dos.py").read_bytes() == changed
    assert (clone / "pkg/core.py").read_text() == FASTER
    assert patch.added_lines["pkg/dos.py"] == (21,)
    assert flags == ("line endings of the patch adapted to those of the files",)


def test_a_crlf_file_keeps_its_line_endings(clone: Path) -> None:
    changed = FASTER.replace("\n", "\r\n").encode()
    _, flags = applied(diff(clone, {"pkg/dos.py": changed}), clone)
    assert (clone / "pkg/dos.py").read_bytes() == changed
    assert flags == ()


def test_bytes_that_are_no_utf8(clone: Path) -> None:
    changed = b"# caf\xe9 \xff\n" + FASTER.encode()
    patch, _ = applied(diff(clone, {"pkg/latin.py": changed}), clone)
    assert (clone / "pkg/latin.py").read_bytes() == changed
    assert patch.added_lines == {"pkg/latin.py": (1, 22)}


def test_paths_that_are_no_ascii(clone: Path) -> None:
    name = b"pkg/caf\xe9 \xc3\xa9.py".decode(errors="surrogateescape")
    patch, _ = applied(diff(clone, {name: "x = 1\n"}), clone)
    assert patch.added_lines == {name: (1,)}
    assert (clone / name).read_text() == "x = 1\n"


def test_already_applied(clone: Path) -> None:
    text = diff(clone, {"pkg/core.py": FASTER, "pkg/new.py": "x = 1\n"})
    applied(text, clone)
    assert "already applied" in refused(text, FAILED, clone).reason


def test_renames_deletions_modes_and_new_files(clone: Path) -> None:
    (clone / "pkg/core.py").chmod(0o755)
    old = (clone / "pkg/old.py").read_text()
    changes: dict[str, str | bytes | None] = {
        "pkg/old.py": None,
        "pkg/renamed.py": old + "x = 1\n",
        "pkg/latin.py": None,
    }
    text = diff(clone, {**changes, "pkg/new.py": "y = 1\n", "pkg/table.json": None}, "--find-renames")
    assert b"rename from" in text
    assert b"new mode" in text
    patch, _ = applied(text, clone)
    names = {path.name for path in (clone / "pkg").iterdir()}
    assert names == {"__init__.py", "core.py", "dos.py", "unended.py", "blob.bin", "renamed.py", "new.py"}
    assert (clone / "pkg/core.py").stat().st_mode & 0o111
    assert patch.added_lines == {"pkg/renamed.py": (10,), "pkg/new.py": (1,)}
    assert patch.has_data_files


def test_a_module_moved_out_of_its_package(clone: Path) -> None:
    text = b"diff --git a/pkg/old.py b/old.py\nsimilarity index 100%\nrename from pkg/old.py\nrename to old.py\n"
    applied(text, clone)
    assert not (clone / "pkg/old.py").exists()


def test_no_newline_at_the_end(clone: Path) -> None:
    text = diff(clone, {"pkg/unended.py": "a = 1\nb = 3", "pkg/old.py": "old = 1"})
    assert text.count(b"\\ No newline") == 3
    applied(text, clone)
    assert (clone / "pkg/unended.py").read_text() == "a = 1\nb = 3"


@pytest.mark.parametrize("options", [("--no-prefix",), ("--src-prefix=i/", "--dst-prefix=w/")])
def test_other_prefixes(clone: Path, options: tuple[str, ...]) -> None:
    changes: dict[str, str | bytes | None] = {
        "pkg/core.py": FASTER,
        "pkg/new.py": "y = 1\n",
        "pkg/latin.py": None,
    }
    patch, _ = applied(diff(clone, changes, *options), clone)
    assert patch.added_lines == {"pkg/core.py": (21,), "pkg/new.py": (1,)}
    assert (clone / "pkg/core.py").read_text() == FASTER
    assert not (clone / "pkg/latin.py").exists()


def test_a_package_named_like_a_prefix(tmp_path: Path) -> None:
    clone = make_repository(tmp_path / "clone", {"b/core.py": CORE})
    repo = RepoConfig("demo", clone, packages=("b",))
    for options in ((), ("--no-prefix",)):
        patch, _ = applied(diff(clone, {"b/core.py": FASTER, "b/new.py": "y = 1\n"}, *options), clone, repo)
        assert patch.added_lines == {"b/core.py": (21,), "b/new.py": (1,)}
        assert (clone / "b/core.py").read_text() == FASTER
        git(clone, "clean", "-fdq")
        git(clone, "checkout", "--quiet", ".")


def test_mixed_prefixes(clone: Path) -> None:
    text = diff(clone, {"pkg/core.py": FASTER}) + diff(clone, {"pkg/old.py": "x = 1\n"}, "--no-prefix")
    assert "prefixes" in refused(text, INVALID).reason


def test_a_patch_cut_off_at_its_end(clone: Path) -> None:
    spaced = CORE.replace("line_22 = 22\n", "\n").replace("line_23 = 23\n", "\n")
    write(clone, {"pkg/core.py": spaced})
    git(clone, "commit", "-qam", "spaced")
    text = diff(clone, {"pkg/core.py": spaced.replace("line_20 = 20", "line_20 = 0")})
    assert text.endswith(b" \n \n")
    for cut in (text[:-1], text.rstrip()):
        applied(cut, clone)
        assert "line_20 = 0" in (clone / "pkg/core.py").read_text()
        git(clone, "checkout", "--quiet", ".")
    assert "ends within a hunk" in refused(text[:-20], INVALID, clone).reason


def test_a_traditional_patch_and_text_around_it(clone: Path) -> None:
    lines = diff(clone, {"pkg/core.py": FASTER}).split(b"\n")
    bare = b"\n".join(lines[2:])
    applied(b"Here is the change:\n\n" + bare + b"-- \n2.39.5\n", clone)
    assert (clone / "pkg/core.py").read_text() == FASTER


def test_hunks_that_stand_elsewhere_are_flagged(clone: Path) -> None:
    text = diff(clone, {"pkg/core.py": FASTER})
    write(clone, {"pkg/core.py": "first = 0\n" + CORE})
    patch, flags = applied(text, clone)
    assert flags == ("pkg/core.py: hunks applied 1 line away",)
    assert patch.added_lines == {"pkg/core.py": (21,)}
    assert located(clone, patch).added_lines == {"pkg/core.py": (22,)}


def test_hunks_that_stand_where_they_say_stay_there(clone: Path) -> None:
    changed = "x = 1\n" + FASTER.replace("\n", "\r\n") + "y = 1\n"
    patch, _ = applied(diff(clone, {"pkg/dos.py": changed, "pkg/old.py": None, "pkg/new.py": "z = 1\n"}), clone)
    assert located(clone, patch) == patch


def test_names_that_git_reads_otherwise(clone: Path) -> None:
    """Of two names in a traditional header git takes the shorter, which was not classified."""
    text = b"--- a/pkg/table.json\n+++ b/pkg/table.json.py\n@@ -1 +1 @@\n-{}\n+[]\n"
    reason = refused(text, INVALID, clone).reason
    assert "git reads other files in it than its headers name (pkg/table.json, pkg/table.json.py)" in reason


def test_ten_megabytes_take_seconds(clone: Path) -> None:
    rows = b"".join(b"+row_%06d = 'some text that makes the line as long as lines are'\n" % n for n in range(150_000))
    head = b"diff --git a/pkg/big.py b/pkg/big.py\nnew file mode 100644\n--- /dev/null\n+++ b/pkg/big.py\n"
    began = time.monotonic()
    patch, _ = applied(head + b"@@ -0,0 +1,150000 @@\n" + rows, clone)
    assert len(patch.added_lines["pkg/big.py"]) == 150_000
    assert time.monotonic() - began < 60  # against quadratic time, not a benchmark
    assert "MB large" in refused(b"+" * 65_000_000, INVALID).reason


def test_places_where_a_patch_only_deletes_are_known_by_the_lines_beside():
    text = b"""\
diff --git a/pkg/core.py b/pkg/core.py
--- a/pkg/core.py
+++ b/pkg/core.py
@@ -1,8 +1,5 @@
 one
-two
 three
-four
-five
+four five
 six
 seven
-eight
"""
    patch = read_patch(text, RepoConfig("pkg", Path("nowhere")))
    assert patch.added_lines == {"pkg/core.py": (3,)}
    assert patch.lines_beside == {"pkg/core.py": (1, 2, 5)}
