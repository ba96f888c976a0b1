"""Who wrote the book, where it is, and how it is cited: from two files, wherever it is said.

`[project.urls]` in pyproject.toml holds the addresses, CITATION.cff authors, title, version, date
and DOI. As a Sphinx extension this puts them on every page: description, picture, canonical link
and schema.org's record in its head, and below the text how to cite it. As a program,

    .venv/bin/python book/_ext/cited.py

writes what follows from them into README.md, CITATION.cff and codemeta.json.
"""

from __future__ import annotations

import html
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import yaml
from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.application import Sphinx
from sphinx.config import Config

ROOT = Path(__file__).parents[2]
DESCRIPTION = re.compile(r'<meta name="description" content="([^"]*)"')
KEY = "modality-gap-book"
LICENCES = {"code": "BSD-3-Clause", "text": "CC-BY-4.0"}


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the steps with Sphinx."""
    app.add_directive("cite-this", CiteThis)
    app.connect("config-inited", set_addresses)
    app.connect("html-page-context", add_record, priority=900)  # after the description
    return {"parallel_read_safe": True, "parallel_write_safe": True}


# The two sources


def addresses(root: Path = ROOT) -> dict[str, str]:
    """Documentation, Repository and Notebooks: those that pyproject.toml knows."""
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    return {name: url.rstrip("/") for name, url in project.get("urls", {}).items()}


def citation(root: Path = ROOT) -> dict[str, Any]:
    """What CITATION.cff says."""
    return dict(yaml.safe_load((root / "CITATION.cff").read_text("utf-8")))


# What follows from them


def name(author: dict[str, str]) -> str:
    """Of a person or of a group, for BibTeX."""
    if "name" in author:
        return f"{{{author['name']}}}"
    return f"{author['family-names']}, {author['given-names']}"


def bibtex(about: dict[str, Any], url: str, page: str = "", at: str = "") -> str:
    """The entry of the book, or of a page of it.

    Args:
        about: what CITATION.cff says.
        url: where the website is, or "".
        page: its title.
        at: its place on the website.
    """
    fields = {
        "author": " and ".join(map(name, about["authors"])),
        "title": f"{{{page or about['title']}}}",
        "booktitle": f"{{{about['title']}}}" if page else "",
        "year": str(about["date-released"])[:4],
        "edition": str(about["version"]),
        "doi": about.get("doi", ""),
        "url": f"{url}/{at}".rstrip("/") if url else "",
    }
    lines = [f"  {key} = {{{value}}},\n" for key, value in fields.items() if value]
    return f"@{'inbook' if page else 'book'}{{{KEY},\n{''.join(lines)}}}"


def people(about: dict[str, Any]) -> list[dict[str, str]]:
    """The authors, as schema.org has them."""
    return [
        {"@type": "Organization", "name": author["name"]}
        if "name" in author
        else {
            "@type": "Person",
            "givenName": author["given-names"],
            "familyName": author["family-names"],
            **({"@id": author["orcid"]} if "orcid" in author else {}),
        }
        for author in about["authors"]
    ]


def codemeta(root: Path = ROOT) -> str:
    """The content of codemeta.json."""
    about, known = citation(root), addresses(root)
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    record = {
        "@context": "https://w3id.org/codemeta/3.0",
        "@type": "SoftwareSourceCode",
        "name": about["title"],
        "description": about["abstract"],
        "version": str(about["version"]),
        "datePublished": str(about["date-released"]),
        "author": people(about),
        "license": [f"https://spdx.org/licenses/{each}" for each in about["license"]],
        "keywords": about["keywords"],
        "programmingLanguage": "Python",
        "runtimePlatform": f"Python {project['requires-python']}",
        "softwareRequirements": project["dependencies"],
        "identifier": about.get("doi"),
        "codeRepository": known.get("Repository"),
        "url": known.get("Documentation"),
    }
    kept = {key: value for key, value in record.items() if value}
    return json.dumps(kept, indent=2, ensure_ascii=False) + "\n"


def resource(
    about: dict[str, Any], url: str, title: str, at: str, description: str, place: int
) -> dict[str, Any]:
    """schema.org's record of a page.

    Args:
        about: what CITATION.cff says.
        url: where the website is, or "".
        title: of the page.
        at: its place on the website.
        description: what it is about.
        place: its number in the table of contents, from 1.
    """
    book = {"@type": "Book", "name": about["title"], "url": url}
    record = {
        "@context": "https://schema.org",
        "@type": "LearningResource",
        "name": title,
        "description": description,
        "learningResourceType": "chapter",
        "inLanguage": "en",
        "isAccessibleForFree": True,
        "position": place,
        "author": people(about),
        "version": str(about["version"]),
        "datePublished": str(about["date-released"]),
        "license": f"https://spdx.org/licenses/{LICENCES['text']}",
        "keywords": about["keywords"],
        "isPartOf": {key: value for key, value in book.items() if value},
        "url": f"{url}/{at}" if url else "",
    }
    return {key: value for key, value in record.items() if value}


# On the pages


def set_addresses(app: Sphinx, config: Config) -> None:
    """Canonical links and pictures need to know where the website is."""
    if config.book_site_url:
        config.html_baseurl = config.ogp_site_url = f"{config.book_site_url}/"


class CiteThis(Directive):
    """The book's entry in BibTeX."""

    def run(self) -> list[nodes.Node]:
        """A block of code."""
        config = self.state.document.settings.env.config
        entry = bibtex(citation(), config.book_site_url)
        return [nodes.literal_block(entry, entry, language="bibtex")]


def add_record(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: object
) -> None:
    """schema.org's record into the head of a page, and below its text how it is cited."""
    pages = [each.removesuffix(".md") for each in app.config.external_site_map]
    if pagename not in pages:
        return
    about, url = citation(), app.config.book_site_url
    title = re.sub(r"<[^>]*>", "", context["title"])
    title = re.sub(r"^[\d.]+ ", "", html.unescape(title))
    at = app.builder.get_target_uri(pagename)
    found = DESCRIPTION.search(context["metatags"])
    description = html.unescape(found[1]) if found else about["abstract"]
    record = resource(about, url, title, at, description, pages.index(pagename) + 1)
    content = json.dumps(record, ensure_ascii=False).replace("</", "<\\/")
    context["metatags"] += f'<script type="application/ld+json">{content}</script>\n'
    entry = html.escape(bibtex(about, url, title, at))
    # The script of the pages adds the section that the address names.
    context["theme_extra_footer"] = (
        f"<details class='cite-this'><summary>Cite this page</summary><pre>{entry}</pre></details>"
    )


# In the files


def between(text: str, mark: str, content: str) -> str:
    """The text with other content between two comments."""
    start, end = f"<!-- {mark}: written by book/_ext/cited.py -->", f"<!-- end of {mark} -->"
    before, rest = text.split(start)
    return f"{before}{start}\n{content}\n{end}{rest.split(end)[1]}"


def written(root: Path = ROOT) -> dict[str, str]:
    """The files that follow from the two sources, by name, as they should be."""
    about, known = citation(root), addresses(root)
    site, repository = known.get("Documentation", ""), known.get("Repository", "")
    lines = [f"The book is at <{site}>."] if site else []
    if repository:
        lines += [
            f"Without a copy of its repository, <{repository}>, pip installs the package by",
            f"\n```console\n$ pip install 'modality-gap @ git+{repository}'\n```",
        ]
    nowhere = (
        "Neither the website nor the repository has a public address yet; once `[project.urls]` in "
        "[pyproject.toml](pyproject.toml)\nknows them, they stand here."
    )
    readme = between(
        (root / "README.md").read_text("utf-8"), "addresses", "\n".join(lines) or nowhere
    )
    entry = f"```bibtex\n{bibtex(about, site)}\n```"
    cff = re.sub(
        r"^(url|repository-code): .*\n", "", (root / "CITATION.cff").read_text("utf-8"), flags=re.M
    )
    added = {"url": site, "repository-code": repository}
    cff = cff.replace(
        "type: software\n",
        "type: software\n" + "".join(f"{k}: {v}\n" for k, v in added.items() if v),
    )
    return {
        "README.md": between(readme, "citation", entry),
        "CITATION.cff": cff,
        "codemeta.json": codemeta(root),
    }


if __name__ == "__main__":
    for file, text in written().items():
        (ROOT / file).write_text(text, "utf-8")
