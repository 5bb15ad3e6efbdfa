# SPDX-License-Identifier: Apache-2.0
"""
Write what the manual says about the code: the marked blocks of its pages, and the manual pages.

Run as ``python -m scripts.docs`` from the project's root after a change to what is described; tests/test_manual.py
fails until that has been done.
"""

from scripts.docs.pages import written

for path, text in written().items():
    if not path.exists() or path.read_text() != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        print(path)
