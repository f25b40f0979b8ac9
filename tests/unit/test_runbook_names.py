"""What a message sends its reader to is there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
NAMED = re.compile(r"runbook (?:on )?(?!on )([a-z]+(?:-[a-z]+)*)")
PAGES = {page.stem for page in (ROOT / "deploy" / "runbooks").glob("*.md")}


def test_every_runbook_that_is_named_exists() -> None:
    named = {
        (name, str(path.relative_to(ROOT)))
        for folder in ("streams", "storage", "topics", "deploy")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in {".py", ".md", ".yaml", ".yml"}
        for name in NAMED.findall(path.read_text())
    }
    assert len(named) > 5
    assert sorted((name, path) for name, path in named if name not in PAGES) == []


def test_every_runbook_is_in_the_operators_list() -> None:
    listed = (ROOT / "docs" / "operating.md").read_text()
    assert sorted(page for page in PAGES if f"runbooks/{page}.md" not in listed) == []
