"""Addresses and authors stand in one place each, and all else follows from them."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
import yaml

import cited
import modality_gap as mg
from small_book import ROOT

SOURCES = ("pyproject.toml", "CITATION.cff", "README.md")
SITE, REPOSITORY = "https://owner.example/book", "https://github.com/owner/name"


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """The sources, filled in by an owner."""
    for name in SOURCES:
        shutil.copy(ROOT / name, tmp_path / name)
    project = (tmp_path / "pyproject.toml").read_text()
    urls = f'[project.urls]\nDocumentation = "{SITE}/"\nRepository = "{REPOSITORY}"\n'
    (tmp_path / "pyproject.toml").write_text(re.sub(r"\[project\.urls\]\n(#.*\n)*", urls, project))
    about = (tmp_path / "CITATION.cff").read_text()
    person = 'authors:\n  - given-names: "Ada"\n    family-names: "Byron"\n'
    about = re.sub(r"authors:\n  - name: .*\n", person, about)
    (tmp_path / "CITATION.cff").write_text(f"{about}doi: 10.5281/zenodo.1\n")
    return tmp_path


def test_what_is_stored_follows_from_its_sources() -> None:
    for name, text in cited.written().items():
        assert (ROOT / name).read_text("utf-8") == text, f"{name}: run book/_ext/cited.py"
    assert cited.citation()["version"] == mg.__version__


def test_what_the_owner_fills_in_is_said_everywhere(elsewhere: Path) -> None:
    written = cited.written(elsewhere)
    for name, text in written.items():
        (elsewhere / name).write_text(text)
    assert cited.written(elsewhere) == written
    assert f"pip install 'modality-gap @ git+{REPOSITORY}'" in written["README.md"]
    assert "author = {Byron, Ada}" in written["README.md"]
    about = yaml.safe_load(written["CITATION.cff"])
    assert (about["url"], about["repository-code"]) == (SITE, REPOSITORY)
    record = json.loads(written["codemeta.json"])
    assert (record["url"], record["codeRepository"]) == (SITE, REPOSITORY)
    assert record["identifier"] == about["doi"]
    assert record["author"] == [{"@type": "Person", "givenName": "Ada", "familyName": "Byron"}]
    (elsewhere / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    assert "repository-code" not in cited.written(elsewhere)["CITATION.cff"]  # nor is it kept


def test_a_page_is_cited_as_a_part_of_the_book(elsewhere: Path) -> None:
    about = cited.citation(elsewhere)
    entry = cited.bibtex(about, SITE, "A page", "book/page.html")
    assert entry.startswith("@inbook{modality-gap-book,\n")
    for line in (
        "title = {{A page}}",
        "booktitle = {{Mind the Modality Gap}}",
        f"url = {{{SITE}/book/page.html}}",
        "doi = {10.5281/zenodo.1}",
    ):
        assert f"  {line},\n" in entry
    assert "url" not in cited.bibtex(about, "", "A page", "book/page.html")
    record = cited.resource(about, SITE, "A page", "book/page.html", "About it.", 3)
    assert record["url"] == f"{SITE}/book/page.html"
    assert record["isPartOf"]["url"] == SITE
    assert "" not in cited.resource(about, "", "A page", "book/page.html", "", 3).values()


def test_the_owner_finds_every_place() -> None:
    for name in ("pyproject.toml", "CITATION.cff", "CODE_OF_CONDUCT.md"):
        assert (ROOT / name).read_text("utf-8").count("THE OWNER fills in") == 1


def test_forms_of_issues_are_forms() -> None:
    forms = [*(ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml")]
    assert len(forms) == 3
    for path in forms:
        form = yaml.safe_load(path.read_text("utf-8"))
        if path.stem != "config":
            assert {"name", "description", "body"} <= form.keys()
            assert all({"type", "id", "attributes"} <= field.keys() for field in form["body"])
