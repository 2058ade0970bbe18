"""`dataMasking` of diagnostics: what is refused, and what gateways are told."""

from __future__ import annotations

from typing import Any

from aforo.control.build_masking import mask_plan
from aforo.snapshot.snapshot import MaskRules


def test_nothing_is_masked_without_rules() -> None:
    assert mask_plan({"frontend": {"request": {"headers": ["a"], "dataMasking": {}}}}, "") is None


def test_a_direction_has_the_rules_of_both_sides_and_the_stricter_one_counts() -> None:
    diagnostic: dict[str, Any] = {
        "dataMasking": {"detectors": [{"value": "email", "mode": "Hash"}]},
        "frontend": {
            "request": {
                "body": {"bytes": 100},
                "dataMasking": {
                    "headers": [{"value": "X-Who", "mode": "Hash"}],
                    "queryParams": [{"value": "Mail", "mode": "Mask"}],
                },
            }
        },
        "backend": {
            "request": {"dataMasking": {"headers": [{"value": "x-who", "mode": "Hide"}]}},
            "response": {
                "body": {"bytes": 7},
                "dataMasking": {
                    "fields": [{"value": "$.a", "mode": "Keep"}],
                    "detectors": [{"value": "email", "mode": "Mask"}],
                },
            },
        },
    }
    plan = mask_plan(diagnostic, "x-who")
    assert plan is not None
    assert plan.requests == MaskRules((("x-who", "Hide"),), (("mail", "Mask"),), (), (("email", "Hash"),))
    assert plan.responses == MaskRules((), (), (("$.a", "Keep"),), (("email", "Mask"),))
    assert plan.body_bytes == (100, 0, 0, 7)
    assert plan.caller_header == "x-who"
