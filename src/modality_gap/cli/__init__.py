"""The command `modality-gap`: your own embeddings, measured in a terminal."""

from __future__ import annotations

import argparse
import importlib
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

import shtab

DESCRIPTION = """\
Measure the modality gap of paired embeddings, and close it.

  modality-gap measure mine.safetensors            the numbers of the book for your model
  modality-gap measure images.npy texts.npy --normalize --json
  modality-gap embed ViT-B-32 --pretrained openai --pairs pairs.csv --out mine.safetensors
  modality-gap report mine.safetensors --out report.html
  modality-gap fit kinds mine.safetensors --out kinds.safetensors
  modality-gap apply kinds.safetensors --queries q.npy --images i.npy --texts t.npy
  modality-gap coursework release                  the exercises as notebooks for students
  modality-gap coursework grade moodle.zip         marks and feedback for what comes back

Each has a --help of its own. Nothing that lies in a file of embeddings is run: no pickle is opened.
Completion of commands, options and files is what modality-gap --print-completion bash prints, or
zsh, or tcsh.
"""

# Commands with a parser of their own: module, extra, help.
ELSEWHERE = {
    "experiments": ("..experiments.sweeps", "lab", "make the book's stored tables anew"),
    "coursework": ("..coursework.course", "coursework", "hand out the exercises, and mark them"),
}


# What inputs and machines may raise. Of torch a RuntimeError: it finds no memory, say.
REFUSALS = (ArithmeticError, ImportError, MemoryError, OSError, RuntimeError, ValueError)


def parser() -> argparse.ArgumentParser:
    """All commands with their arguments."""
    from . import closings, embed, measure, page

    top = argparse.ArgumentParser(
        prog="modality-gap",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    shtab.add_argument_to(top, ["--print-completion"], help="a script of completions for a shell")
    commands = top.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for module in (measure, embed, page, closings):
        module.add(commands)
    for name, (_, _, told) in ELSEWHERE.items():
        commands.add_parser(name, add_help=False, help=told)
    for command in commands.choices.values():
        for argument in command._actions:
            if argument.type is Path or argument.metavar == "FILE":
                argument.complete = shtab.FILE  # type: ignore[attr-defined]
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the arguments are those of the command line if None.

    Returns:
        0; 1 after an error, which is told in one sentence; 130 after an interruption. What cannot
        be understood of the arguments ends in SystemExit(2), as argparse has it.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] and given[0] in ELSEWHERE:
        return _elsewhere(given[0], given[1:])
    chosen = parser().parse_args(given)
    with warnings.catch_warnings():
        warnings.showwarning = _tell
        try:
            chosen.run(chosen)
        except KeyboardInterrupt:
            print("modality-gap: interrupted", file=sys.stderr)
            return 130
        except BrokenPipeError:  # `| head` has seen enough
            sys.stderr.close()
            return 0
        except REFUSALS as error:
            print(f"modality-gap: {_sentence(error)}", file=sys.stderr)
            return 1
    return 0


def _elsewhere(name: str, arguments: Sequence[str]) -> int:
    module, extra, _ = ELSEWHERE[name]
    try:
        command = importlib.import_module(module, __package__)
    except ImportError as error:
        print(
            f"modality-gap: {name} needs {error.name}: pip install 'modality-gap[{extra}]'",
            file=sys.stderr,
        )
        return 1
    return int(command.main(arguments) or 0)


def _sentence(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    told = " ".join(str(error).split()) or type(error).__name__
    told = told.replace("normalize=True makes", "--normalize makes")
    if "owner=" in told:
        told += "; a file of such numbers is named by --owner"
    return told


def _tell(message: Warning | str, *_: object, **__: object) -> None:
    print(f"modality-gap: {' '.join(str(message).split())}", file=sys.stderr)
