"""Every reader says in its docstring what it reads, what a document is, and why there may be none."""

from __future__ import annotations

import inspect
import re

import pytest

from pilebuilder import registry

SAYS = {
    "the format's specification": r"^Format: .{20}",
    "the record unit": r"^Record unit: ",
    "how the id is made": r"^Id: ",
    "the text rendering": r"^Text\b[^:\n]{0,60}:",
    "an example of the rendering": r"::\n\n    \S|``[^`]+``,?\s+gives?\s",
    "the metadata kept": r"^Metadata: ",
    "the licence of a record": r"^Licence: ",
    "the reasons to skip": r"^Skip reasons(?: \([^)]*\))?: ",
}


@pytest.mark.parametrize("name", registry.names("reader"))
def test_the_docstring_says(name: str) -> None:
    factory = registry.part("reader", name).factory
    if factory.__module__.startswith("tests."):
        return
    text = f"{inspect.getmodule(factory).__doc__ or ''}\n{inspect.getdoc(factory)}"
    missing = [what for what, pattern in SAYS.items() if not re.search(pattern, text, re.M)]
    assert not missing, f"the reader {name} does not say: {', '.join(missing)}"


@pytest.mark.parametrize("name", registry.names("reader"))
def test_the_docstring_names_every_reason_of_the_reader(name: str) -> None:
    """Those that stand in the reader's own module; shared ones are of the module that they come from."""
    factory = registry.part("reader", name).factory
    if factory.__module__.startswith("tests."):
        return
    module = inspect.getmodule(factory)
    text = f"{module.__doc__ or ''}\n{inspect.getdoc(factory)}"
    own = set(re.findall(r"Skipped\(\s*reason=\"(\w+)\"", inspect.getsource(module)))
    missing = sorted(reason for reason in own if f"``{reason}``" not in text)
    assert not missing, f"the reader {name} skips without saying so: {', '.join(missing)}"
