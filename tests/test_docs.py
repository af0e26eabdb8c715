"""What the pages name is there: files, modules, names in the examples, links."""

import ast
import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/*.md"))]
# Written without the package where it is clear which one is meant.
ROOMS = ("fastgan_core", "fastgan_core/tracking", "fastgan_core/data", "fastgan_ros", "fastgan_ros/operator")
PLACES = [ROOT, ROOT / "docs", *(ROOT / room for room in ROOMS)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_a_page_names_are_there(page):
    named = re.findall(r"[`\s(]((?:[\w-]+/)*\w+\.py)\b", page.read_text())
    missing = [name for name in named if not any((place / name).is_file() for place in PLACES)]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\((?!http)([^)#\s]+)", page.read_text())
    assert not [link for link in links if not (page.parent / link).exists()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_modules_and_names_that_a_page_shows_are_there(page):
    text = page.read_text()
    for module in re.findall(r"-m (fastgan_\w+(?:\.\w+)*|tests\.\w+(?:\.\w+)*)", text):
        assert importlib.util.find_spec(module), module
    for module, names in re.findall(r"^from (fastgan_\S+) import (.+)$", text, re.MULTILINE):
        file = ROOT / f"{module.replace('.', '/')}.py"
        assert file.is_file(), module
        body = ast.parse(file.read_text()).body
        there = {getattr(node, "name", None) for node in body}
        assert set(re.split(r",\s*", names.split("#")[0].strip())) <= there, (module, names)
