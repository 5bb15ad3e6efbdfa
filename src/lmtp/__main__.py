# SPDX-License-Identifier: Apache-2.0
"""
The command `lmtp`, also as `python -m lmtp`; says what to install when only the library is there.
"""

import sys


def main() -> None:
    """
    Run the command line.
    """
    try:
        from lmtp.cli.app import app  # noqa: PLC0415 - the library does not need what this imports
    except ModuleNotFoundError as error:
        sys.exit(f"lmtp: the programmes need the module {error.name!r}: pip install 'lmtp[server]'")
    app(prog_name="lmtp")


if __name__ == "__main__":
    main()
