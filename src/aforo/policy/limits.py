"""How large a policy document may be; texts come from people, and some of them are hostile."""

from __future__ import annotations

from typing import Final

DOCUMENT_CHARACTERS: Final = 512 * 1024  # Azure: 256 KB
NESTING: Final = 40
ATTRIBUTES: Final = 100
DIAGNOSTICS: Final = 100
WHENS: Final = 1_000
FRAGMENT_NESTING: Final = 10
EXPANDED_ELEMENTS: Final = 5_000  # with all included fragments
# Of an effective policy, in which `<base />` and fragments multiply: the texts that are read for it, what is written.
EFFECTIVE_CHARACTERS: Final = 4 * 1024 * 1024
EFFECTIVE_LINES: Final = 20_000
