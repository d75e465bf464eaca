"""A hook of MkDocs (mkdocs.yml): the site of docs/ follows the links that a Git host follows.

A file outside docs/ that is linked (`../models/open/emotion.md`) becomes a page of the site, under `repository/`; the
README is the first page. So each text is written once, and the site needs no address of a repository. A page that would
load a script, style or picture from another host is a warning, which `make site` (strict) refuses.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from posixpath import normpath, relpath
from typing import Any

DOCS = "docs"
OUTSIDE = "repository"  # the site's folder of what lies outside docs/
_LANGUAGES = {".py": "python", ".pl": "perl", ".yaml": "yaml", ".toml": "toml", ".json": "json"}
_FENCES = re.compile(r"(^ *```.*?^ *```)", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_LOADED = re.compile(r"<(?:script|img|iframe)[^>]* src=\"(?:https?:)?//|<link[^>]* rel=\"?stylesheet[^>]*//")

_log = logging.getLogger("mkdocs.hooks.docs_site")


def list_links(text: str) -> list[str]:
    """List the targets of a page's links and pictures, anchors included; those of the web or in code are none."""
    targets = (match[1] for part in _FENCES.split(text)[::2] for match in _LINK.finditer(part))
    return [target for target in targets if not _is_web(target)]


def find_page(root: Path, path: str) -> str | None:
    """Return the site's source path of a path in the repository, or None if nothing is there to show."""
    target = root / path
    if path == "README.md":
        return "index.md"
    if target.is_dir():
        return find_page(root, _find_file(root, path))
    if not target.is_file():
        return None
    if path.startswith(f"{DOCS}/"):
        return path.removeprefix(f"{DOCS}/")
    return f"{OUTSIDE}/{path}" if target.suffix == ".md" else f"{OUTSIDE}/{path}.md"


def rewrite_links(root: Path, path: str, text: str) -> str:
    """Return a file's text with its links turned into those of the site; what leads nowhere stays, for MkDocs to tell.

    `path`: the file's path in the repository at `root`.
    """
    own_page = find_page(root, path) or path

    def rewrite(match: re.Match[str]) -> str:
        target, hash_sign, anchor = match[1].partition("#")
        page = find_page(root, _resolve(path, target)) if target and not _is_web(target) else None
        if page is None:
            return match[0]
        return f"]({relpath(page, str(PurePosixPath(own_page).parent))}{hash_sign}{anchor})"

    parts = _FENCES.split(text)
    parts[::2] = [_LINK.sub(rewrite, part) for part in parts[::2]]
    return "".join(parts)


def collect_pages(root: Path) -> dict[str, str]:
    """Return the repository's paths of the README and of all files outside docs/ that are linked, with their pages."""
    pages: dict[str, str] = {}
    waiting = ["README.md", *(f"{DOCS}/{page.name}" for page in sorted((root / DOCS).glob("*.md")))]
    visited = set(waiting)
    while waiting:
        path = _find_file(root, waiting.pop())
        page = find_page(root, path)
        if page is None:
            continue
        if not path.startswith(f"{DOCS}/"):
            pages[path] = page
        if path.endswith(".md"):
            targets = {link.partition("#")[0] for link in list_links((root / path).read_text(encoding="utf-8"))} - {""}
            found = {_resolve(path, target) for target in targets} - visited
            visited |= found
            waiting += sorted(found)
    return pages


def read_page(root: Path, path: str) -> str:
    """Return a file outside docs/ as Markdown: a text as it is, anything else as a listing."""
    text = (root / path).read_text(encoding="utf-8")
    if path.endswith(".md"):
        return rewrite_links(root, path, text)
    return f"# {PurePosixPath(path).name}\n\n```{_LANGUAGES.get(PurePosixPath(path).suffix, 'text')}\n{text}```\n"


def find_foreign_loads(html: str) -> Iterator[str]:
    """Yield what a page loads from another host."""
    return (match[0] for match in _LOADED.finditer(html))


def _is_web(target: str) -> bool:
    return ":" in target


def _resolve(path: str, link: str) -> str:
    return normpath((PurePosixPath(path).parent / link).as_posix())


def _find_file(root: Path, path: str) -> str:
    return f"{path}/README.md" if (root / path).is_dir() else path


# ------------------------------------------------------------ what MkDocs calls


def on_files(files: Any, config: Any) -> Any:
    """Add the pages of what lies outside docs/."""
    from mkdocs.structure.files import File

    root = _find_root(config)
    for path, page in collect_pages(root).items():
        files.append(File.generated(config, page, content=read_page(root, path)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Mapping[str, Any], **_: Any) -> str:
    """Turn the links of a page of docs/; those of the other pages are turned already."""
    is_generated = page.file.generated_by is not None
    return markdown if is_generated else rewrite_links(_find_root(config), f"{DOCS}/{page.file.src_uri}", markdown)


def on_post_page(output: str, page: Any, **_: Any) -> str:
    """Warn of what a page loads from another host."""
    for load in find_foreign_loads(output):
        _log.warning("%s loads from another host: %s", page.file.src_uri, load)
    return output


def _find_root(config: Mapping[str, Any]) -> Path:
    return Path(str(config["config_file_path"])).parent
