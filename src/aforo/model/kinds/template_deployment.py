"""Template deployments: what Bicep compiles to. Declared; templates are not run yet."""

from __future__ import annotations

from aforo.model.declare import anything, text
from aforo.model.ids import RESOURCE_GROUP_TYPE
from aforo.model.kind import Kind, NameRule
from aforo.model.kinds.later import not_yet

TEMPLATE_DEPLOYMENT = Kind(
    name="template deployment",
    type="Microsoft.Resources/deployments",
    parent=RESOURCE_GROUP_TYPE,
    properties=(
        text("mode", required=True, values=("Incremental", "Complete")),
        anything("template"),
        anything("parameters"),
        anything("templateLink"),
        anything("parametersLink"),
        anything("outputs", readonly=True),
        text("provisioningState", readonly=True),
    ),
    names=NameRule(r"^[-\w._()]+$", 64, "letters, digits, - _ . ( )"),
    rules=(not_yet("ARM templates are not run yet; write the same resources into aforo.yaml"),),
)
