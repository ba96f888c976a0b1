"""Which files of a package some code reaches by its imports, found without running it.

`import modality_gap as mg` alone reaches nothing: `mg.rmg` reaches the module from which the
package takes `rmg`, and what that one imports. So a chapter depends on the metrics that it uses.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

Parts = tuple[str, ...]  # modality_gap.gap.rmg as ("modality_gap", "gap", "rmg")


def reach(code: str, package: Path, apart: frozenset[Path] = frozenset()) -> set[Path]:
    """The files of a package that run, or may run, on behalf of some code.

    Args:
        code: Python, with absolute imports.
        package: its folder, named like the package.
        apart: modules and folders that are left out, with what only they import.
    """
    found: set[Path] = set()
    todo = used(code, (), package)
    while todo := {path for path in todo - found if not apart & {path, *path.parents}}:
        found |= todo
        todo = set().union(
            *(used(path.read_text("utf-8"), place(path.parent, package), package) for path in todo)
        )
    return found


def place(folder: Path, package: Path) -> Parts:
    """The dotted name of a folder of the package."""
    return (package.name, *folder.relative_to(package).parts)


@cache
def used(code: str, here: Parts, package: Path) -> frozenset[Path]:
    """The files behind the imported names that a piece of code of the folder `here` uses."""
    tree = ast.parse(code)
    names = imported(tree, here)
    found: set[Path] = set()
    inner: set[ast.AST] = set()
    for node in ast.walk(tree):  # mg.mad.load_mad comes before its part mg.mad
        chain: list[str] = []
        while isinstance(node, ast.Attribute) and node not in inner:
            inner.add(node)
            chain.insert(0, node.attr)
            node = node.value
        if isinstance(node, ast.Name) and node.id in names and node not in inner:
            inner.add(node)
            found |= files((*names[node.id], *chain), package)
    return frozenset(found)


def imported(tree: ast.AST, here: Parts) -> dict[str, Parts]:
    """What the names stand for that a tree imports, anywhere in it."""
    names: dict[str, Parts] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                parts = tuple(alias.name.split("."))
                names[alias.asname or parts[0]] = parts if alias.asname else parts[:1]
        elif isinstance(node, ast.ImportFrom):
            base = here[: len(here) + 1 - node.level] if node.level else ()
            base += tuple(node.module.split(".")) if node.module else ()
            names |= {alias.asname or alias.name: (*base, alias.name) for alias in node.names}
    return names


def files(parts: Parts, package: Path) -> set[Path]:
    """The files behind a dotted name."""
    if parts[:1] != (package.name,):
        return set()
    folder = package
    for i, part in enumerate(parts[1:], start=1):
        face = folder / "__init__.py"
        if (folder / f"{part}.py").is_file():
            return {folder / f"{part}.py"}
        if (folder / part / "__init__.py").is_file():
            folder = folder / part
        elif face.is_file():
            code = face.read_text("utf-8")
            names = imported(ast.parse(code), place(folder, package))
            if part in names:
                return files((*names[part], *parts[i + 1 :]), package)
            # Defined in the package's own file; or made by it when asked for, from anything.
            return set(folder.rglob("*.py")) if "def __getattr__" in code else {face}
        else:
            return set()
    return set(folder.rglob("*.py"))  # the package itself as a value
