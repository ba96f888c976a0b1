import subprocess
import sys
import types

import pytest

from modality_gap import torchvision_fix


def test_open_clip_can_be_imported_in_a_fresh_process() -> None:
    code = (
        "from modality_gap.torchvision_fix import import_torchvision as fix; fix(); fix();"
        "import open_clip, torchvision.transforms; print(open_clip.__name__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "open_clip", done.stderr


def importer(errors: list[Exception], calls: list[str]) -> types.SimpleNamespace:
    """Stands in for importlib: raises the errors in turn, then succeeds."""

    def import_module(name: str) -> None:
        calls.append(name)
        if errors:
            raise errors.pop(0)

    return types.SimpleNamespace(import_module=import_module)


@pytest.fixture
def defined(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    names: list[str] = []
    monkeypatch.setattr(
        torchvision_fix.torch.library, "define", lambda name, schema: names.append(name)
    )
    monkeypatch.setattr(torchvision_fix, "sys", types.SimpleNamespace(modules={}))
    return names


def test_healthy_torchvision_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, defined: list[str]
) -> None:
    calls: list[str] = []
    monkeypatch.setattr(torchvision_fix, "importlib", importer([], calls))
    torchvision_fix.import_torchvision()
    assert (calls, defined) == (["torchvision"], [])


def test_missing_operators_are_declared_and_the_import_repeated(
    monkeypatch: pytest.MonkeyPatch, defined: list[str]
) -> None:
    calls: list[str] = []
    error = RuntimeError("operator torchvision::nms does not exist")
    monkeypatch.setattr(torchvision_fix, "importlib", importer([error], calls))
    modules = {"torchvision": None, "torchvision.ops": None, "torchvision_other": None}
    torchvision_fix.sys.modules.update(modules)
    torchvision_fix.import_torchvision()
    assert calls == ["torchvision"] * 2
    assert defined == ["torchvision::nms", "torchvision::qnms"]
    assert list(torchvision_fix.sys.modules) == ["torchvision_other"]


@pytest.mark.parametrize("error", [RuntimeError("out of memory"), ImportError("no torchvision")])
def test_other_errors_pass(
    error: Exception, monkeypatch: pytest.MonkeyPatch, defined: list[str]
) -> None:
    monkeypatch.setattr(torchvision_fix, "importlib", importer([error], []))
    with pytest.raises(type(error), match=str(error)):
        torchvision_fix.import_torchvision()
    assert defined == []
