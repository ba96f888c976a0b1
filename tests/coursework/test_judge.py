"""What a student's code can get from box and judge: what it earned, and nothing else."""

from __future__ import annotations

import base64
import itertools
import json
import pickle
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import torch
from markdown_it import MarkdownIt
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_output
from tiny import CHAPTER, FULL, NONE, RIGHT, answered, earned, made, needs_box, outputs

from modality_gap.coursework import box, execute, exercises, plain, report
from modality_gap.coursework.judge import Judge, SetupError

pytestmark = needs_box

EVIL = """
class Evil:
    def __eq__(self, other): return True
    def __sub__(self, other): return self
    def __rsub__(self, other): return self
    def __abs__(self): return self
    def __lt__(self, other): return True
    def __float__(self): return 0.0
"""
SAME = "def twice(x):\n    return x"
STOP = "def twice(x):\n    raise StopIteration"
FRAMES = """
def twice(x):
    import gc, sys
    frame, found = sys._getframe(), []
    while frame:
        found += [frame.f_locals.get(name) for name in ("value", "drawn", "expected")]
        frame = frame.f_back
    return next(item for item in found if item is not None)
"""
STRIP = """
import ast
class Strip(ast.NodeTransformer):
    def visit_Assert(self, node): return ast.Pass()
get_ipython().ast_transformers.append(Strip())
"""
PATCH = """
import builtins, torch
torch.allclose = torch.equal = lambda *a, **k: True
builtins.abs = lambda x: 0
builtins.zip = lambda *a, **k: []
def half(x): return drawn
"""
RUN_CELL = """
shell = get_ipython()
result = shell.run_cell("pass")
async def run_cell_async(*args, **kwargs): return result
type(shell).run_cell_async = lambda self, *a, **k: run_cell_async()
"""
PUPIL = """
from modality_gap.coursework import pupil
class Fake:
    def _repr_mimebundle_(self, **_): return {"application/x-answer": TEXT}
pupil.answer = lambda *a: Fake()
TEXT = '{"value": {"kind": "tensor", "dtype": "float32", "shape": [9], "bytes": ""}}'
"""
STUBBORN = """
while True:
    try:
        while True: pass
    except BaseException: pass
"""
PARTS = """
import zmq
socket, block = get_ipython().kernel.iopub_socket, b"x" * (15 * 2**20)
socket = getattr(getattr(socket, "io_thread", socket), "socket", socket)
while True: socket.send(block, zmq.SNDMORE, copy=False)
"""
FOLDER = """
import os
f = os.path.dirname(get_ipython().config.IPKernelApp.connection_file)
"""
# name: (answers beside the right ones, cells of the student's own, points)
ATTACKS: dict[str, tuple[dict[str, str], tuple[str, ...], dict[str, float]]] = {
    "right answers": ({}, (), FULL),
    "wrong answers": ({"ex-value": "count = 9", "ex-twice": SAME, "ex-scale": SAME}, (), NONE),
    "what tests compare with is patched": ({"ex-twice": SAME}, (PATCH,), FULL | {"ex-twice": 0}),
    "objects that equal everything": (
        {"ex-value": EVIL + "count = Evil()", "ex-twice": "def twice(x): return Evil()"},
        (),
        NONE | {"ex-scale": 1},
    ),
    "a function ends the loop of the test": ({"ex-twice": STOP}, (), FULL | {"ex-twice": 0}),
    "arguments are changed in place": (
        {"ex-twice": "def twice(x):\n    return x.zero_()"},
        (),
        FULL | {"ex-twice": 0},
    ),
    "the pupil is replaced": (
        {"ex-twice": SAME},
        (PUPIL,),
        {"ex-value": 2, "ex-twice": 0, "ex-scale": 0},
    ),
}
SLOW = {
    "the kernel is ended": ({}, ("import os; os._exit(0)",), FULL),
    "files without end": (
        {},
        (FOLDER + "for i in range(200): open(f'{f}/{i}', 'wb').write(b'1' * 10**6)",),
        FULL,
    ),
    "no answers": (dict.fromkeys(RIGHT, "pass"), (), NONE),
    "expected values are read from frames": ({"ex-twice": FRAMES}, (), FULL | {"ex-twice": 0}),
    "asserts are stripped": ({"ex-twice": SAME}, (STRIP,), FULL | {"ex-twice": 0}),
    "run_cell does nothing": (
        {"ex-twice": SAME},
        (RUN_CELL,),
        {"ex-value": 2, "ex-twice": 0, "ex-scale": 0},
    ),
    "a constant": ({"ex-twice": "def twice(x): return 2.0"}, (), FULL | {"ex-twice": 0}),
    "interrupts are swallowed": ({}, (STUBBORN,), FULL),
    "an endless loop": ({}, ("while True: pass",), FULL),
    "sys.exit": ({}, ("import sys; sys.exit()",), FULL),
    "a function that never ends": (
        {"ex-twice": "def twice(x):\n    while True: pass"},
        (),
        FULL | {"ex-twice": 0},
    ),
    "processes without end": ({}, ("import os\nwhile True: os.fork()",), FULL),
    "memory of one": ({}, ("x = bytearray(10 * 2**30)",), FULL),
    "memory of many": (
        {},
        ("import os, time\nfor _ in range(4): os.fork()\nx = b'1' * 2**29\ntime.sleep(60)",),
        FULL,
    ),
    "a flood of output": ({}, ("print('x' * 10**8)",), FULL),
    "a flood of lines": ({}, ("while True: print('x' * 1000)",), FULL),
    "files in a folder": ({}, (FOLDER + "os.mkdir(f'{f}/x'); os.chmod(f'{f}/x', 0)",), FULL),
    "files without a name": (
        {},
        (FOLDER + "kept = []\nfor i in range(1500):\n    kept.append(os.open(f'{f}/x', 65))\n"
         "    os.unlink(f'{f}/x')",),
        FULL,
    ),
    "a link in a folder": ({}, (FOLDER + "os.symlink('/', f'{f}/x')",), FULL),
    "a message without end": ({}, (PARTS,), FULL),
    "the folder is shut": ({}, (FOLDER + "os.chmod(f, 0)",), FULL),
    "the kernel is ended later": (
        {"ex-twice": "import time; time.sleep(3)\n" + RIGHT["ex-twice"]},
        ("import os, threading; threading.Timer(1, os._exit, (1,)).start()",),
        FULL,
    ),
    "a number that is too long": (
        {"ex-value": "count = 10 ** 5000"}, (), FULL | {"ex-value": 0},
    ),
    "everybody is killed": ({}, ("import os; os.kill(-1, 9)",), FULL),
}  # fmt: skip

SAID = {"a link in a folder": "too many files", "a message without end": "message without end"}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(execute, "CELL", 15)
    monkeypatch.setattr(execute, "CALL", 15)
    yield
    left = psutil.Process().children(recursive=True)
    assert [process for process in left if is_kernel(process)] == []


def is_kernel(process: psutil.Process) -> bool:
    try:
        return "ipykernel_launcher" in process.cmdline()
    except psutil.Error:  # gone
        return False


def marked(name: str) -> object:
    return pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name


@pytest.mark.parametrize("name", [marked(name) for name in ATTACKS | SLOW])
def test_points_are_those_that_were_earned(name: str) -> None:
    answers, own, points = (ATTACKS | SLOW)[name]
    notebook = answered(made(), RIGHT | answers, own)
    assert earned(notebook) == points
    assert SAID.get(name, "") in outputs(notebook)


def test_a_cell_pays_for_itself_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(box.Watch, "run", lambda watch: None)  # however late it looks
    notebook = answered(made(), RIGHT, (SLOW["files without end"][1][0], "import os; os._exit(1)"))
    place = [cell.id for cell in notebook.cells].index("ex-twice-answer")
    notebook.cells[place - 1 : place + 1] = reversed(notebook.cells[place - 1 : place + 1])
    assert earned(notebook) == FULL
    assert "too many files" in str(notebook.cells[place - 2].outputs)
    assert "died" in str(notebook.cells[place].outputs)


def test_nothing_outside_is_read_written_or_reached(tmp_path: Path) -> None:
    secret = tmp_path / "gradebook.db"
    secret.write_text("hidden tests")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.1)
        port = listener.getsockname()[1]
        code = f"""
import os, socket
for act in (
    lambda: print("read", open({str(secret)!r}).read()),
    lambda: print("wrote", open({str(tmp_path / "x")!r}, "w")),
    lambda: print("wrote", open({str(CHAPTER)!r}, "a")),
    lambda: print("reached", socket.create_connection(("127.0.0.1", {port}), 2)),
    lambda: print("became root", os.setuid(0)),
    lambda: print("sees", [p for p in os.listdir("/proc") if p.isdigit()][20]),
):
    try:
        act()
    except Exception as error:
        print("refused")
"""
        notebook = answered(made(), {}, (code,))
        earned(notebook)
        with pytest.raises(TimeoutError):
            listener.accept()
    assert str(outputs(notebook)).count("refused") == 6
    assert [path.name for path in tmp_path.iterdir()] == ["gradebook.db"]


def test_no_terminal_can_be_typed_into() -> None:
    program = box.command(sys.executable, "-c", "open('/dev/tty')")
    argv = ["script", "-qec", shlex.join(program), "/dev/null"]  # which has a terminal
    run = subprocess.run(argv, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert run.returncode
    assert "OSError" in run.stdout


class Flood:
    """A kernel that puts out as much as it may."""

    def run(self, code: str, seconds: float, room: int) -> list[NotebookNode]:
        return [new_output("stream", text="x" * room)]


def test_all_cells_together_have_room_and_time_for_so_much(monkeypatch: pytest.MonkeyPatch) -> None:
    session = execute.Session(made(), 1)
    monkeypatch.setattr(execute.Session, "alive", lambda _: Flood())
    said = [session.cell(new_code_cell("")) for _ in range(20)]
    assert len(json.dumps(said)) < execute.ROOM + execute.OUTPUT
    monkeypatch.setattr("time.monotonic", itertools.count(0, 1000).__next__)
    given = next(cell for cell in made().cells if execute.role(cell) == "given")
    before = session.budget
    session.cell(given)
    assert session.budget == before - execute.LOCKED


@pytest.mark.parametrize("text", ["a", "```\nb", "`````", "~~~\n<b>", "[x](javascript:y)", "$a$\n"])
def test_free_text_is_shown_as_it_is(text: str) -> None:
    (token,) = MarkdownIt().parse(execute.verbatim(text))
    assert (token.type, token.content) == ("fence", f"{text}\n")
    assert report.unfenced(execute.verbatim(text)) == report.unfenced(text) == text


@pytest.fixture(scope="module")
def judge() -> Judge:
    return Judge([cell.source for cell in exercises.read(CHAPTER).setup], {})


def test_the_seed_repeats_a_test(judge: Judge) -> None:
    order = {"label": "", "answers": [], "inplace": []}
    code = "import random; assert False, f'{SEED} {random.random()} {float(torch.rand(1))}'"
    said = [judge.test({**order, "seed": seed, "code": code}, str) for seed in (3, 3, 4)]
    assert said[0] == said[1] != said[2]
    assert said[0].startswith("3 ")


EQUAL = "assert (torch.as_tensor(answer(1)) == 2).all()"
NOTHING = plain.encode(torch.empty(0, 1, 1))  # equals everything, element by element
REPLIES = [
    "", "no JSON", "[]", "null", "1", "[" * 100_000, '{"value": ' + "1" * 10_000 + "}",
    *(json.dumps({"value": value}) for value in (
        NOTHING, NOTHING | {"items": "AAAA"}, NOTHING | {"items": 7}, {"kind": "pickle"}, {},
        {"kind": "dict", "items": [[[], 1]]}, {"kind": [], "items": []},
    )),
    json.dumps({"error": "SystemExit", "text": "0"}), json.dumps({"error": ["x"]}),
    json.dumps({"error": "BaseException", "text": ""}), json.dumps({"function": True}),
]  # fmt: skip


@pytest.mark.parametrize("reply", REPLIES, ids=lambda reply: reply[:60])
def test_a_forged_reply_fails_the_test_and_no_more(judge: Judge, reply: str) -> None:
    order = {"seed": 1, "label": "", "code": EQUAL, "answers": ["answer"]}
    replies = iter([json.dumps({"function": True}), reply])
    assert judge.test(order | {"inplace": []}, lambda *_: next(replies))
    right = iter([json.dumps({"function": True}), json.dumps({"value": 2, "changed": [[0, 9]]})])
    assert judge.test(order | {"inplace": []}, lambda *_: next(right)) == ""


def test_of_a_part_of_a_tensor_only_the_part_is_sent(judge: Judge) -> None:
    sent = []

    def ask(name: str, packed: str, inplace: list[int]) -> str:
        sent.append(packed)
        return json.dumps({"function": True} if not packed else {"value": 2, "changed": []})

    code = "answer(torch.arange(1000.0, requires_grad=True)[3:5])"
    order = {"seed": 1, "label": "", "code": code, "answers": ["answer"], "inplace": []}
    assert judge.test(order, ask) == ""
    ((part,), *_) = pickle.loads(base64.b64decode(sent[1]))
    assert part.tolist() == [3, 4]
    assert part.untyped_storage().nbytes() == 8
    assert part.requires_grad


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("import os; os._exit(1)", "died"),
        ("import os; os.kill(os.getpid(), 9)", "died"),
        ("import signal; signal.alarm(1)\nwhile True: pass", "did not end"),
        ("raise SystemExit", "SystemExit"),
    ],
)
def test_a_test_that_ends_badly_fails(judge: Judge, code: str, message: str) -> None:
    order = {"seed": 1, "label": "", "code": code, "answers": [], "inplace": []}
    assert message in judge.test(order, str)
    assert judge.test({**order, "code": "assert half(torch.ones(1)) == 0.5"}, str) == ""


def test_each_exercise_has_its_given_cells_and_no_others() -> None:
    judge = Judge(["x = 1\ndef get(): return x"], {"ex-a": ["x = 2"], "ex-b": ["y = x"]})
    order = {"seed": 1, "answers": [], "inplace": []}
    assert judge.test({**order, "label": "ex-a", "code": "assert x == get() == 2"}, str) == ""
    assert judge.test({**order, "label": "ex-b", "code": "assert x == y == get() == 1"}, str) == ""
    assert "y" in judge.test({**order, "label": "ex-a", "code": "y"}, str)


def test_a_set_up_that_does_not_run_marks_nobody() -> None:
    with pytest.raises(SetupError, match="no_such_name"):
        Judge(["no_such_name"], {})
