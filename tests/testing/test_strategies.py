# SPDX-License-Identifier: Apache-2.0
"""
The strategies are for those who have hypothesis; the others are told what to install.
"""

import importlib
import sys

import pytest


class TestImport:
    def test_says_what_to_install_where_hypothesis_is_missing(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "hypothesis", None)
        monkeypatch.delitem(sys.modules, "lmtp.testing.strategies", raising=False)

        with pytest.raises(ImportError, match="pip install hypothesis"):
            importlib.import_module("lmtp.testing.strategies")
