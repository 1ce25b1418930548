"""The word for the code of a process: another one for whatever is changed, and one of its own where nobody can tell."""

from __future__ import annotations

from pathlib import Path

from app.use_cases.survey.own_code import word_of


def test_other_code_has_another_word(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "one.py").write_text("VALUE = 1\n")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "names.json").write_text("[]")
    folders = [tmp_path / "a", tmp_path / "b"]
    words = [word_of(folders), word_of(folders, ["another library"])]
    (tmp_path / "a" / "one.py").write_text("VALUE = 2\n")
    words.append(word_of(folders))
    (tmp_path / "b" / "names.json").write_text('["港区"]')
    words.append(word_of(folders))
    (tmp_path / "a" / "one.py").rename(tmp_path / "a" / "two.py")
    words.append(word_of(folders))
    assert len(set(words)) == len(words)
    assert word_of(folders) == word_of(folders)


def test_code_that_nobody_can_read_is_like_no_other(tmp_path: Path) -> None:
    assert word_of([tmp_path]) != word_of([tmp_path])
