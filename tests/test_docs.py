"""The README and the pages of docs/: short, and no link leads nowhere."""

import re
from pathlib import Path

import pytest

from kelly_live.lab.docs_site import list_links

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
README_WORDS = 900
HAS_RESEARCH = (ROOT / "models" / "research").is_dir()


def read_links(page: Path) -> list[str]:
    """List a page's links, without those into models/research where that set was left out."""
    links = list_links(page.read_text(encoding="utf-8"))
    return [link for link in links if HAS_RESEARCH or "models/research/" not in link]


def list_anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in read_links(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{link} is not there"
        if anchor and target.suffix == ".md":
            assert anchor in list_anchors(target), f"{link}: no such heading"


def test_every_page_of_the_docs_can_be_reached_from_the_readme() -> None:
    reached, waiting = set(), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page not in reached and page.suffix == ".md" and page.is_relative_to(ROOT):
            reached.add(page)
            waiting += [(page.parent / link.partition("#")[0]).resolve() for link in read_links(page) if link[0] != "#"]
    assert [page.name for page in PAGES if page not in reached] == []


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").split()) <= README_WORDS
