"""The site of docs/: it follows the links that a Git host follows, and shows what lies outside docs/."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kelly_live.lab.docs_site import collect_pages, find_foreign_loads, find_page, read_page, rewrite_links

ROOT = Path(__file__).parents[2]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    texts = {
        "README.md": "[start](docs/start.md#first), ![](docs/demo.png)\n",
        "docs/start.md": "[card](../models/open/emotion.md) [client](../examples/client.py) [web](https://x.org/a.md)\n",
        "docs/demo.png": "",
        "models/open/emotion.md": "[back](../../docs/start.md) [example](../../examples/bass)\n",
        "examples/client.py": "print('[no](link.md)')\n",
        "examples/bass/README.md": "# Bass\n",
        "examples/unlinked.md": "",
    }
    for path, text in texts.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    return tmp_path


def test_the_readme_is_the_first_page_and_what_is_linked_outside_docs_becomes_one(repository: Path) -> None:
    assert collect_pages(repository) == {
        "README.md": "index.md",
        "models/open/emotion.md": "repository/models/open/emotion.md",
        "examples/client.py": "repository/examples/client.py.md",
        "examples/bass/README.md": "repository/examples/bass/README.md",
    }


@pytest.mark.parametrize(
    ("path", "links"),
    [
        ("README.md", ["start.md#first", "demo.png"]),
        (
            "docs/start.md",
            ["repository/models/open/emotion.md", "repository/examples/client.py.md", "https://x.org/a.md"],
        ),
        ("models/open/emotion.md", ["../../../start.md", "../../examples/bass/README.md"]),
    ],
)
def test_links_lead_to_the_same_texts_in_the_site(repository: Path, path: str, links: list[str]) -> None:
    text = (repository / path).read_text(encoding="utf-8")
    assert re.findall(r"\]\((.*?)\)", rewrite_links(repository, path, text)) == links


def test_what_leads_nowhere_stays_for_mkdocs_to_tell(repository: Path) -> None:
    assert rewrite_links(repository, "docs/start.md", "[gone](../models/gone.md)") == "[gone](../models/gone.md)"


def test_a_program_is_shown_as_a_listing_without_links(repository: Path) -> None:
    assert read_page(repository, "examples/client.py") == "# client.py\n\n```python\nprint('[no](link.md)')\n```\n"
    assert (
        rewrite_links(repository, "docs/start.md", "```\n[x](../README.md)\n```\n") == "```\n[x](../README.md)\n```\n"
    )


@pytest.mark.parametrize(
    ("html", "count"),
    [
        ('<script src="https://cdn.example/x.js"></script>', 1),
        ('<link rel="stylesheet" href="https://fonts.example/f.css">', 1),
        ('<a href="https://example.org">there</a><script src="../assets/x.js"></script>', 0),
    ],
)
def test_a_page_that_loads_from_another_host_is_found(html: str, count: int) -> None:
    assert len(list(find_foreign_loads(html))) == count


def test_every_page_of_docs_stands_in_the_menu() -> None:
    menu = re.findall(r": (\S+\.md)$", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert sorted(menu) == sorted(["index.md", *(page.name for page in (ROOT / "docs").glob("*.md"))])
    assert find_page(ROOT, "README.md") == "index.md"
