# SPDX-License-Identifier: Apache-2.0
"""
The manual says what the code does: nothing is missing, nothing has drifted, and every link leads somewhere.
"""

import ast
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lmtp.config.load import load_settings
from lmtp.protocol import reply
from lmtp.protocol.extensions import EXTENSIONS
from scripts.docs import log, manpages, protocol, settings
from scripts.docs.api import public_names
from scripts.docs.pages import BLOCKS, ROOT, blocks_in, pages, written

LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")
FENCED = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
HEADING = re.compile(r"^#+ (?P<title>.+)$", re.MULTILINE)
NAMED_FILE = re.compile(r"`(?P<name>(?:src|tests|scripts|docs|examples)/[a-z_./-]+)`")
DOCS = ROOT / "docs"
SIGNATURES = DOCS / "reference/python-api.md"
"""A page of functions without their bodies."""


def text_of(name):
    return (DOCS / name).read_text()


def prose_of(path):
    return FENCED.sub("", path.read_text())


def anchors_of(path):
    titles = (match["title"].lower() for match in HEADING.finditer(prose_of(path)))
    return {re.sub(r"[^\w\- ]", "", title).replace(" ", "-") for title in titles}


def links() -> Iterator[tuple[Path, str]]:
    for page in pages():
        for match in LINK.finditer(prose_of(page)):
            if "://" not in match["target"]:
                yield page, match["target"]


def printed(language):
    pattern = re.compile(rf"^```{language}\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE)
    return [match["text"] for page in pages() for match in pattern.finditer(page.read_text()) if page != SIGNATURES]


class TestWhatIsMadeFromTheCode:
    @pytest.mark.parametrize("path", written(), ids=lambda path: str(path.relative_to(ROOT)))
    def test_is_as_the_code_has_it(self, path):
        assert written()[path] == path.read_text(), "run: python -m scripts.docs"

    def test_has_a_place_in_some_page(self):
        assert set(BLOCKS) == {name for page in pages() for name in blocks_in(page.read_text())}

    def test_leaves_no_block_open(self):
        for page in pages():
            assert page.read_text().count("<!-- begin: ") == len(blocks_in(page.read_text())), page


class TestManual:
    def test_names_every_option(self):
        text = text_of("reference/cli.md")
        for command in settings.commands():
            assert f"`{command.name}`" in text
            for name, _ in settings.options_of(command):
                assert name.replace("|", "\\|") in text

    def test_names_every_key_with_its_default(self):
        text = text_of("reference/configuration.md")
        for name, keys in settings.keys_by_table().items():
            for key in keys:
                row = (
                    f"| `{key.name.removeprefix(f'{name}.')}` | {key.words} | {settings.default_of(key)} | {key.help} |"
                )
                assert row in text

    def test_names_every_event_and_key_of_the_log(self):
        table, _, rest = text_of("reference/log-events.md").partition("## Levels")
        for cases in log.samples():
            assert f"`{log.event_name(cases[0])}`" in table
            for key in (*log.FIRST_KEYS, *log.keys_in(cases)):
                assert f"`{key}`" in (table if key in log.FIRST_KEYS else rest)

    def test_says_when_every_reply_is_given(self):
        standard = {name for name, value in vars(reply).items() if isinstance(value, reply.Reply)}

        assert standard == set(protocol.WHEN)

    def test_names_every_extension(self):
        text = text_of("standards.md")
        for extension in EXTENSIONS:
            assert extension.keyword in text
            assert extension.rfc.partition(" §")[0] in text

    def test_names_every_public_name(self):
        text = text_of("reference/python-api.md")
        for name in public_names():
            assert f"### `{name}`\n" in text

    def test_has_a_page_for_every_command(self):
        names = {command.name.replace(" ", "-") for command in settings.commands()}

        assert names == {name.removesuffix(".1") for name in manpages.all_pages() if name.endswith(".1")}


class TestLinks:
    @pytest.mark.parametrize(("page", "target"), sorted(set(links())), ids=lambda value: str(value).rpartition("/")[2])
    def test_lead_somewhere(self, page, target):
        file, _, anchor = target.partition("#")
        path = (page.parent / file).resolve() if file else page

        assert path.exists()
        assert not anchor or anchor in anchors_of(path)

    def test_reach_every_page(self):
        reached = {(page.parent / target.partition("#")[0]).resolve() for page, target in links()}

        assert {page for page in DOCS.rglob("*.md") if page.name != "README.md"} <= reached


class TestFiles:
    @pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
    def test_that_are_named_are_there(self, page):
        names = (match["name"] for match in NAMED_FILE.finditer(prose_of(page)))

        assert [] == [name for name in names if not (ROOT / name).exists()]


class TestGlossary:
    def test_has_its_terms_in_order(self):
        terms = re.findall(r"^- \*\*(.+?)\*\*: ", text_of("glossary.md"), re.MULTILINE)

        assert sorted(terms, key=str.lower) == terms
        assert {"session", "transaction", "recipient", "outcome"} <= set(terms)


class TestText:
    @pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
    def test_is_exact_and_calm(self, page):
        text = prose_of(page)

        assert text.startswith("# ")
        assert not re.search(r"\w!(\s|$)", text), "no exclamation marks"
        assert not re.search(r"\b(\w+) \1\b", re.sub(r"`[^`]*`", "", text)), "a word twice"

    @pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
    def test_has_one_sentence_a_line(self, page):
        for line in re.sub(r"(?s)<!-- begin.*?<!-- end", "", prose_of(page)).splitlines():
            if not line.startswith(("|", "-", "#", ":", " ")) and not re.match(r"\d+\. ", line):
                assert not re.search(r"[a-z`)][.?] [A-Z]", line), line


class TestPrintedCode:
    @pytest.mark.parametrize("text", printed("toml"))
    def test_settings_can_be_used(self, text, tmp_path):
        (tmp_path / "lmtp.toml").write_text(text)

        assert load_settings(tmp_path / "lmtp.toml").users is not None

    @pytest.mark.parametrize("text", printed("python"))
    def test_python_is_python(self, text):
        assert ast.parse(text).body


class TestManPages:
    @pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed")
    @pytest.mark.parametrize("name", manpages.all_pages())
    def test_are_read_by_groff_without_complaint(self, name):
        command = ["groff", "-man", "-Tutf8", "-ww", "-z", str(DOCS / "man" / name)]
        result = subprocess.run(command, capture_output=True, text=True, check=False)

        assert (0, "") == (result.returncode, result.stderr)
