"""What nbgrader runs a notebook with: cells of the student's in the box, tests by the judge."""

from __future__ import annotations

import base64
import json
import os
import re
import secrets
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from queue import Empty
from typing import Any

import nbformat
import zmq
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.connect import write_connection_file
from nbformat import NotebookNode
from nbformat.v4 import new_output, output_from_msg
from nbgrader.preprocessors import NbGraderPreprocessor
from traitlets import Integer

from . import box, plain
from .judge import SECONDS, Judge
from .source import WRITE_HERE

CELL, CALL, NOTEBOOK, GRACE = 60, 60, 300, 4  # seconds
LOCKED = 240  # seconds, of a cell of the release
OUTPUT, ROOM = 2**20, 2**22  # bytes, of one cell and of a notebook
SAID = 4000  # characters, of what a test says
MESSAGE = 16 * 2**20  # bytes, of one message from the kernel
KERNELS = 6  # a student may use up
JUDGES: dict[str, Judge] = {}  # of this process, by set-up


class KernelGoneError(Exception):
    """The student's kernel died, or took too much; the text says why, to the student."""


class Kernel:
    """An IPython kernel in the box, spoken to over sockets in a folder of its own."""

    def __init__(self) -> None:
        self.stack = ExitStack()
        folder = self.stack.enter_context(box.shared_folder())
        path = str(folder / "k.json")
        write_connection_file(
            path, ip=str(folder / "s"), transport="ipc", key=secrets.token_hex().encode()
        )
        if box.ROOT:
            os.chown(path, box.NOBODY, box.NOBODY)
        program = [sys.executable, "-m", "ipykernel_launcher", "-f", path]
        argv = box.command(*program, "--HistoryManager.enabled=False", folder=folder)
        nothing = subprocess.DEVNULL
        self.process = subprocess.Popen(argv, stdin=nothing, stdout=nothing, stderr=nothing)
        self.stack.callback(self.end)
        self.watch = box.Watch(self.process, folder)
        context = zmq.Context()
        context.setsockopt(zmq.MAXMSGSIZE, MESSAGE)
        context.setsockopt(zmq.RCVHWM, 64)
        self.client = BlockingKernelClient(context=context)
        self.client.load_connection_file(path)
        self.client.start_channels(stdin=False, hb=False)
        self.stack.callback(context.destroy, linger=0)
        self.stack.callback(self.client.stop_channels)
        try:
            self.client.wait_for_ready(timeout=120)
        except RuntimeError:
            self.close()
            raise

    def end(self) -> None:
        """Nothing of the box is left after this."""
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        """End the kernel, remove its folder."""
        self.stack.close()

    def wait(self, channel: Any, request: str, seconds: float, handle: Any) -> bool:
        """Handle the messages that answer a request until `handle` is content; False: too late.

        Raises:
            KernelGoneError: the kernel died.
            TimeoutError: it does not end when it is interrupted.
        """
        deadline, interrupted = time.monotonic() + seconds, False
        while True:
            if self.process.poll() is not None:
                raise KernelGoneError(self.watch.reason or "the kernel died")
            if time.monotonic() > deadline:
                if interrupted:
                    raise TimeoutError(f"no end after {seconds:.0f} s, nor when interrupted")
                self.interrupt()
                deadline, interrupted = time.monotonic() + GRACE, True
            try:
                message = channel.get_msg(timeout=0.2)
                if message["parent_header"].get("msg_id") == request and handle(message):
                    return not interrupted
            except Empty:
                continue
            except Exception:  # no message of the protocol, nested without end, or forged
                continue

    def interrupt(self) -> None:
        """Ask the kernel to raise KeyboardInterrupt."""
        self.client.control_channel.send(self.client.session.msg("interrupt_request"))

    def run(self, code: str, seconds: float, room: int = OUTPUT) -> list[NotebookNode]:
        """The outputs of a cell: text, errors and pictures, of so many bytes at most."""
        outputs: list[NotebookNode] = []
        size = 0

        def handle(message: dict[str, Any]) -> bool:
            nonlocal size
            content = message["content"]
            if message["msg_type"] == "status":
                return content["execution_state"] == "idle"
            size += sum(len(str(value)) for value in content.values())
            if size > room:
                if outputs[-1:] != [TOO_MUCH]:
                    outputs.append(TOO_MUCH)
                    self.interrupt()
            elif output := harmless(message):
                if output.get("name") and outputs and outputs[-1].get("name") == output.name:
                    outputs[-1].text += output.text
                else:
                    outputs.append(output)
            return False

        told = {"store_history": False, "stop_on_error": False, "allow_stdin": False}
        request = self.client.execute(code, **told)
        if not self.wait(self.client.iopub_channel, request, seconds, handle):
            outputs.append(error("CellTimeoutError", f"the cell took longer than {seconds:.0f} s"))
        if self.watch.too_much():  # before the next cell pays for this one
            raise KernelGoneError(self.watch.reason)
        return outputs

    def ask(self, name: str, packed: str, inplace: list[int], seconds: float) -> str:
        """What the pupil says."""
        answer = f"answer({name!r}, {packed!r}, {tuple(inplace)!r})"
        code = f"__import__('modality_gap.coursework.pupil', fromlist=['answer']).{answer}"
        said = [json.dumps({"error": "RuntimeError", "text": "nothing came back"})]

        def handle(message: dict[str, Any]) -> bool:
            text = message["content"]["user_expressions"]["r"].get("data", {}).get(plain.MIME)
            said[:] = [text] if isinstance(text, str) else said
            return True

        request = self.client.execute("", silent=True, user_expressions={"r": code})
        self.wait(self.client.shell_channel, request, seconds, handle)
        return said[0]


def error(name: str, text: str) -> NotebookNode:
    """The output of an error, without a traceback."""
    text = text.encode("utf-8", "replace").decode("utf-8")
    return new_output("error", ename=name, evalue=text, traceback=[f"{name}: {text}"])


TOO_MUCH = error("OutputError", "too much output: the rest is dropped")


def harmless(message: dict[str, Any]) -> NotebookNode | None:
    """A message as an output of text or a picture; nothing of anything else.

    Raises:
        Exception: what the message holds is no output.
    """
    if message["msg_type"] not in ("stream", "error", "display_data", "execute_result"):
        return None
    output = output_from_msg(message)
    if "data" in output:
        text, picture = (output.data.get(kind) for kind in ("text/plain", "image/png"))
        output = new_output("display_data", data={"text/plain": text or ""})
        if picture:  # of nothing but the letters of base64, since it becomes part of a page
            output.data["image/png"] = base64.b64encode(base64.b64decode(picture)).decode()
    whole = json.dumps(output, ensure_ascii=False).encode("utf-8", "replace")
    output = nbformat.from_dict(json.loads(whole))
    nbformat.validate(output, ref="output", version=4, version_minor=5)
    return output


class BoxedExecute(NbGraderPreprocessor):  # type: ignore[misc]
    """Executes a submission rebuilt from the release; no error of a student's leaves it."""

    seed = Integer(0, help="seed of the tests; 0 draws one").tag(config=True)

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        """Run the student's cells, judge the tests."""
        session = Session(nb, self.seed or secrets.randbelow(2**31 - 2) + 1)
        try:
            for cell in nb.cells:
                if cell.cell_type == "code":
                    cell.outputs = session.cell(cell)
                elif role(cell) == "answer" and cell.source != WRITE_HERE:
                    cell.source = verbatim(cell.source)
        finally:
            session.close()
        return nb, resources


def verbatim(text: str) -> str:
    """A text in Markdown that shows it as it is: no link, no formula, no HTML, no time to parse.

    Formgrader shows what marking leaves in the teacher's browser, beside her terminals.
    """
    fence = "`" * (max(map(len, re.findall("`+", text)), default=2) + 1)
    return f"{fence}text\n{text}\n{fence}"


def role(cell: NotebookNode) -> str:
    """The role of a cell of the release; nothing: the student's own."""
    return str(cell.metadata.get("modality_gap", {}).get("role", ""))


class Session:
    """One notebook on its way through box and judge."""

    def __init__(self, nb: NotebookNode, seed: int) -> None:
        self.seed, self.budget, self.room, self.kernels = seed, float(NOTEBOOK), ROOM, 0
        self.setup = [cell.source for cell in nb.cells if role(cell) == "setup"]
        self.given: dict[str, list[str]] = {}
        for cell in nb.cells:
            if role(cell) == "given":
                self.given.setdefault(cell.metadata.modality_gap.label, []).append(cell.source)
        # What has run, and what a new kernel runs again: the locked cells and the last answer.
        self.locked: list[str] = []
        self.answer = ""
        self.kernel: Kernel | None = None

    def close(self) -> None:
        """End the kernel."""
        if self.kernel:
            self.kernel.close()
            self.kernel = None

    def alive(self) -> Kernel:
        """The kernel, or a new one that has run what it must."""
        if self.budget <= 0:
            raise KernelGoneError(f"the notebook took longer than {NOTEBOOK} s")
        if not self.kernel:
            if self.kernels >= KERNELS:
                raise KernelGoneError(f"the kernel died {KERNELS} times")
            self.kernels += 1
            self.kernel = Kernel()
            for code in self.locked:
                self.kernel.run(code, LOCKED)
            if self.answer:
                self.kernel.run(self.answer, CELL)
        return self.kernel

    def timed(self, work: Callable[[Kernel, float], Any], limit: float) -> Any:
        """What work does with a kernel and the seconds that it may take; those are counted."""
        kernel, start = self.alive(), time.monotonic()
        try:
            return work(kernel, max(0.5, min(limit, self.budget)))
        finally:
            self.budget -= time.monotonic() - start

    def cell(self, cell: NotebookNode) -> list[NotebookNode]:
        """The outputs of a cell."""
        code, part = cell.source, role(cell)
        if part in ("test", "hidden-test"):
            return self.judged(code, cell.metadata.modality_gap)
        ours, room = part in ("setup", "given"), max(0, min(OUTPUT, self.room))
        start = time.monotonic()
        try:
            if ours:
                said = self.alive().run(code, LOCKED, room)
            else:
                said = self.timed(lambda kernel, seconds: kernel.run(code, seconds, room), CELL)
        except (KernelGoneError, TimeoutError) as gone:
            self.close()
            said = [error(type(gone).__name__, str(gone))]
            if isinstance(gone, TimeoutError) and not ours:  # which is not run again
                code = ""
        self.room -= len(json.dumps(said))
        if ours:
            if time.monotonic() - start > LOCKED:  # which is not waited for often
                self.budget -= LOCKED
            self.locked.append(code)
        elif part == "answer":  # if the kernel died, perhaps of what an earlier cell had left
            self.answer = code
        return said

    def ask(self, name: str, packed: str, inplace: list[int]) -> str:
        """What the pupil says; if the kernel dies, what another says, once."""
        for _ in range(2):
            try:
                return self.timed(lambda kernel, s: kernel.ask(name, packed, inplace, s), CALL)
            except KernelGoneError as gone:
                said = str(gone)
                self.close()
            except TimeoutError as late:
                said = str(late)
                self.close()
                break
        self.answer = ""  # which kills kernels
        return json.dumps({"error": "RuntimeError", "text": said})

    def judged(self, code: str, about: dict[str, Any]) -> list[NotebookNode]:
        """A test, with two seeds; both must pass."""
        key = json.dumps([self.setup, self.given])
        seeds = (self.seed, self.seed + 1)
        for seed in seeds:
            if key not in JUDGES or JUDGES[key].process.poll() is not None:
                JUDGES[key] = Judge(self.setup, self.given)
            order = {"seed": seed, "label": about["label"], "code": code}
            order |= {"answers": about["answers"], "inplace": about.get("inplace", [])}
            if message := JUDGES[key].test(order, self.ask):
                self.budget -= SECONDS if "did not end" in message else 0
                return [error("Test", f"{message[:SAID]}\n(seed {seed})")]
        return [new_output("stream", text=f"passed, with the seeds {seeds[0]} and {seeds[1]}\n")]
