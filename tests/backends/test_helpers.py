"""Processes that compile beside this one: the same code, and nothing lost where one ends early."""

from __future__ import annotations

import logging

import pytest

from nnctl.backends.cpu import compilation
from nnctl.backends.cpu.codegen.kinds import Kind
from nnctl.backends.cpu.compilation import compiled_step
from nnctl.backends.cpu.compiler.helpers import Helper, HelperGoneError
from nnctl.backends.cpu.compiler.objects import FOR_LOOPS, object_code
from nnctl.backends.cpu.compiler.types import F32

pytestmark = pytest.mark.compile

TEXTS = [f"define i64 @next(i64 %x) {{\n  %y = add i64 %x, {n}\n  ret i64 %y\n}}\n" for n in (1, 2)]


@pytest.fixture
def kinds(tmp_path, monkeypatch) -> list[Kind]:
    """Kinds that this process has not seen; a helper for two, whatever cores there are."""
    compilation.walker()
    monkeypatch.setenv("NNCTL_CACHE", str(tmp_path))
    monkeypatch.setattr(compilation, "_loaded", {})
    monkeypatch.setattr(compilation, "_WORK_A_HELPER", 800)
    monkeypatch.setattr(compilation, "cores", lambda: 2)
    return [Kind((f"p0[0] = p0[0] + F({n}.5)",), ((F32, 1),)) for n in range(4)]


def test_a_helper_makes_the_same_code():
    with Helper() as helper:
        helper.ready()
        assert [helper.code(text, FOR_LOOPS) for text in TEXTS] == [object_code(text, FOR_LOOPS) for text in TEXTS]


def test_a_helper_that_was_killed_says_so():
    with Helper() as helper:
        helper.ready()
        helper._process.kill()
        helper._process.wait()
        with pytest.raises(HelperGoneError):
            helper.code(TEXTS[0], FOR_LOOPS)


def test_a_helper_ends_with_what_it_is_given():
    helper = Helper()
    with helper:
        helper.ready()
    assert helper._process.returncode == 0


def test_a_helper_that_has_not_begun_is_spared():
    with Helper() as helper:
        helper.spare()
        with pytest.raises(HelperGoneError):
            helper.ready()
    assert helper.spared


def test_a_helper_that_has_begun_is_left_to_end():
    with Helper() as helper:
        helper.ready()
        helper.spare()
        assert helper.code(TEXTS[0], FOR_LOOPS) == object_code(TEXTS[0], FOR_LOOPS)
    assert not helper.spared
    assert helper._process.returncode == 0


def test_nobody_waits_for_a_helper_that_has_nothing_left_to_do(kinds, monkeypatch, caplog):
    caplog.set_level(logging.INFO, "nnctl.compile")
    made = []

    class Late(Helper):
        def ready(self):
            made.append(self)
            self._process.wait(timeout=60)
            super().ready()

    monkeypatch.setattr(compilation, "Helper", Late)
    assert len(set(compiled_step(kinds, "a test").kinds.values())) == len(kinds)
    assert [helper.spared for helper in made] == [True]
    assert "has ended early" not in caplog.text


def test_kinds_are_compiled_here_and_beside(kinds, monkeypatch):
    beside = []

    class Counted(Helper):
        def code(self, text, level):
            beside.append(text)
            return super().code(text, level)

    def waiting(text, level):
        while not beside:
            pass
        return object_code(text, level)

    monkeypatch.setattr(compilation, "Helper", Counted)
    monkeypatch.setattr(compilation, "object_code", waiting)
    found = compiled_step(kinds, "a test").kinds
    assert beside
    assert len(set(found.values())) == len(kinds)


def test_what_a_helper_leaves_undone_is_done_here(kinds, monkeypatch, caplog):
    caplog.set_level(logging.INFO, "nnctl.compile")
    left = []

    class Killed(Helper):
        def code(self, text, level):
            self._process.kill()
            left.append(text)
            return super().code(text, level)

    def waiting(text, level):
        while not left:
            pass
        return object_code(text, level)

    monkeypatch.setattr(compilation, "Helper", Killed)
    monkeypatch.setattr(compilation, "object_code", waiting)
    assert len(set(compiled_step(kinds, "a test").kinds.values())) == len(kinds)
    assert len(left) == 1
    assert "has ended early" in caplog.text


def test_what_is_raised_beside_is_raised_here(kinds, monkeypatch):
    class Broken(Helper):
        def code(self, text, level):
            raise ZeroDivisionError(text)

    def endless(text, level):
        while True:
            if not any(thread.name.endswith("(_have_helped)") for thread in compilation.threading.enumerate()):
                return object_code(text, level)

    monkeypatch.setattr(compilation, "Helper", Broken)
    monkeypatch.setattr(compilation, "object_code", endless)
    with pytest.raises(ZeroDivisionError):
        compiled_step(kinds, "a test")


def test_what_was_begun_ahead_is_gone_on_with(kinds, monkeypatch, caplog):
    caplog.set_level(logging.INFO, "nnctl.compile")
    beside = []

    class Counted(Helper):
        def code(self, text, level):
            beside.append(text)
            return super().code(text, level)

    monkeypatch.setattr(compilation, "Helper", Counted)
    assert compilation.compile_ahead(kinds[:3], "a part")
    (begun,) = compilation._begun
    while not beside:
        pass
    found = compiled_step(kinds, "a test").kinds
    assert len(set(found.values())) == len(kinds)
    assert not any(hand.is_alive() for hand in begun._hands)
    assert "compiling a part, once for this machine: 3 of 3 kinds" in caplog.text
    assert "compiling a test, once for this machine: 1 of 4 kinds" in caplog.text
    assert not compilation.compile_ahead(kinds, "nothing")
    assert not compilation._begun


def test_nothing_is_begun_ahead_on_a_machine_of_one_core(kinds, monkeypatch):
    monkeypatch.setattr(compilation, "cores", lambda: 1)
    assert compilation.compile_ahead(kinds, "a part")
    assert not compilation._begun
