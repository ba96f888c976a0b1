"""The judge: a process that holds set-up and tests and nothing of the student's.

Set-up and given cells run once; every test runs in a fork. The student's values come as plain data,
functions stay where they are and are called across the wire: judge, grader, student's kernel, and
back. What a function changes in its arguments stays there, unless the exercise declares `inplace`.
"""

from __future__ import annotations

import base64
import builtins
import importlib
import io
import json
import os
import pickle
import random
import select
import signal
import subprocess
import sys
import types
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import torch

from ..torchvision_fix import import_torchvision
from . import box, plain

SECONDS = 180  # a test, without the time that the student's functions take
SETUP_SECONDS = 300
Ask = Callable[[str, str, list[int]], str]  # name, pickled arguments, inplace -> the pupil's JSON


class SetupError(RuntimeError):
    """The set-up of a chapter does not run: nobody is marked, and it is no student's fault."""


class Judge:
    """The grader's end: a boxed judge with the set-up of one chapter.

    setup: code cells; given: code cells of each exercise, by its label.
    """

    def __init__(self, setup: list[str], given: dict[str, list[str]]) -> None:
        argv = box.command(sys.executable, "-m", __name__)
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(argv, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL)
        said = self.exchange({"setup": setup, "given": given}, SETUP_SECONDS)
        if said.get("result") != "":
            self.process.kill()
            self.process.wait()
            raise SetupError(f"the chapter's set-up does not run: {said.get('result')}")

    def exchange(self, line: dict[str, Any], seconds: float) -> dict[str, Any]:
        """Say a line, hear one."""
        assert self.process.stdin
        assert self.process.stdout
        try:
            self.process.stdin.write(json.dumps(line).encode() + b"\n")
            self.process.stdin.flush()
            if not select.select([self.process.stdout], [], [], seconds)[0]:
                raise BrokenPipeError
            return json.loads(self.process.stdout.readline())
        except (OSError, ValueError):
            self.process.kill()
            self.process.wait()
            return {"result": "the judge is gone"}

    def test(self, order: dict[str, Any], ask: Ask) -> str:
        """The message of a test that fails; nothing if it passes.

        order: seed, label, code (the test), answers (names), inplace (positions).
        """
        said = self.exchange(order, 2 * SECONDS)
        while "ask" in said:
            reply = ask(said["ask"], said["packed"], order["inplace"])
            said = self.exchange({"reply": reply}, 2 * SECONDS)
        return str(said["result"])


def main() -> None:
    """Serve the grader: set-up, then test after test."""
    wire = Wire()
    space = types.ModuleType("__main__")
    sys.modules["__main__"] = space
    first = wire.hear()
    failed = attempt(first["setup"], space)
    base, spaces = dict(vars(space)), {}
    for label, given in first["given"].items():
        enter(space, base)
        failed = failed or attempt(given, space)
        spaces[label] = dict(vars(space))
    wire.say(result=failed)
    while order := wire.hear():
        if "code" not in order:  # a reply to a test that is gone
            continue
        reader, writer = os.pipe()
        known = set(sys.modules)
        if child := os.fork():
            os.close(writer)
            with os.fdopen(reader) as pipe:  # what a test has imported, the next need not
                imported = pipe.read().split()
            status = os.waitpid(child, 0)[1]
            if "torchvision" in imported:
                import_torchvision()
            for name in imported:
                with suppress(Exception):
                    importlib.import_module(name)
            if status:
                late = os.WTERMSIG(status) == signal.SIGALRM
                wire.say(result=f"the test did not end in {SECONDS} s" if late else "the test died")
            continue
        enter(space, spaces.get(order["label"], base))
        said = judge(order, space, wire)
        names = {name for name in set(sys.modules) - known if "." not in name}
        os.write(writer, " ".join(sorted(names)).encode()[:60_000])
        wire.say(result=said)
        os._exit(0)


def enter(space: types.ModuleType, names: dict[str, Any]) -> None:
    """Let a namespace hold these names only."""
    vars(space).clear()
    vars(space).update(names)


class Wire:
    """Lines of JSON from and to the grader, out of reach of what set-up and tests print."""

    def __init__(self) -> None:
        self.source, self.sink = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, 0)
        os.dup2(nothing, 1)

    def hear(self) -> dict[str, Any]:
        """The next line; empty when the grader is gone."""
        return json.loads(self.source.readline() or b"{}")

    def say(self, **line: Any) -> None:
        """A line to the grader."""
        self.sink.write(json.dumps(line).encode() + b"\n")
        self.sink.flush()


def attempt(cells: list[str], space: types.ModuleType) -> str:
    """Run cells; the message of the first that fails."""
    try:
        for code in cells:
            sys.modules["__main__"] = space  # IPython, once imported, takes the name
            exec(compile(code, "<cell>", "exec", dont_inherit=True), vars(space))
    except AssertionError as error:
        return str(error) or "an assertion of the test failed"
    except BaseException as error:
        return f"{type(error).__name__}: {error}"
    return ""


def judge(order: dict[str, Any], space: types.ModuleType, wire: Wire) -> str:
    """One test, in a fork."""
    signal.alarm(SECONDS)
    seed = order["seed"]
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    space.SEED = seed  # type: ignore[attr-defined]
    try:
        for name in order["answers"]:
            said = hear(wire, name, "")
            if said is FUNCTION:
                said = function(wire, name, order["inplace"])
            setattr(space, name, said)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return attempt([order["code"]], space)


FUNCTION = object()


class Sender(pickle.Pickler):
    """Sends of a tensor its own elements, not those of the tensor that it is a part of."""

    def reducer_override(self, value: Any) -> Any:
        """A copy of what is a part."""
        if type(value) is torch.Tensor and value.untyped_storage().nbytes() > value.nbytes:
            own = value.detach().clone(memory_format=torch.contiguous_format)
            return own.requires_grad_(value.requires_grad).__reduce_ex__(4)
        return NotImplemented


def function(wire: Wire, name: str, inplace: list[int]) -> Callable[..., Any]:
    """A function of the student's, to be called from here."""

    def proxy(*arguments: Any, **named: Any) -> Any:
        state = random.getstate(), np.random.get_state(), torch.get_rng_state()
        sent = io.BytesIO()
        Sender(sent).dump((arguments, named, state))
        targets = {position: arguments[position] for position in inplace}
        return hear(wire, name, base64.b64encode(sent.getvalue()).decode("ascii"), targets)

    proxy.__name__ = name
    return proxy


def hear(wire: Wire, name: str, packed: str, targets: dict[int, Any] | None = None) -> Any:
    """What the pupil says to a name or a call; the alarm waits meanwhile."""
    left = signal.alarm(0)
    wire.say(ask=name, packed=packed)
    reply = wire.hear()["reply"]
    signal.alarm(max(left, 1))
    try:
        said = json.loads(reply)
        if "error" in said:
            problem = error_of(str(said["error"]), str(said.get("text")))
        elif said.get("function") is True and not packed:
            return FUNCTION
        else:
            if targets:
                for position, changed in said["changed"]:
                    _put(targets[position], plain.decode(changed))
            return plain.decode(said["value"])
    except Exception as error:
        raise RuntimeError(f"{name} answers with nothing that can be read ({error})") from None
    raise problem


def error_of(name: str, text: str) -> Exception:
    """The error that the student's function raised, if it is one that ends a test."""
    kind = getattr(builtins, name, None)
    stops = (StopIteration, StopAsyncIteration)  # would end a loop of the test without a word
    if isinstance(kind, type) and issubclass(kind, Exception) and not issubclass(kind, stops):
        with suppress(TypeError):
            return kind(text)
    return RuntimeError(f"{name}: {text}")


def _put(target: Any, changed: Any) -> None:
    """The value that an argument changed in place has now."""
    if isinstance(target, torch.nn.Module):
        target.load_state_dict(changed)
    elif isinstance(target, torch.Tensor):
        with torch.no_grad():
            target.copy_(changed)
    else:
        target[:] = changed


if __name__ == "__main__":
    main()
