"""What the account can be asked: each operation's name in logs, its data action and its path. Data, no behaviour."""

from __future__ import annotations

import re
from dataclasses import dataclass

_ACCOUNTS = "Microsoft.CognitiveServices/accounts/OpenAI"


@dataclass(frozen=True, slots=True)
class Operation:
    """`action` is the data action that a role must grant; `path` stands in the message of a refusal."""

    name: str
    action: str
    path: str
    word: str = ""  # what OperationNotSupported calls it

    @property
    def inference(self) -> bool:
        return bool(self.word)


CHAT = Operation(
    "ChatCompletions_Create",
    f"{_ACCOUNTS}/deployments/chat/completions/action",
    "POST /openai/deployments/{deployment-id}/chat/completions",
    "chatCompletion",
)
COMPLETIONS = Operation(
    "Completions_Create",
    f"{_ACCOUNTS}/deployments/completions/action",
    "POST /openai/deployments/{deployment-id}/completions",
    "completion",
)
EMBEDDINGS = Operation(
    "Embeddings_Create",
    f"{_ACCOUNTS}/deployments/embeddings/action",
    "POST /openai/deployments/{deployment-id}/embeddings",
    "embeddings",
)
MODELS_LIST = Operation("Models_List", f"{_ACCOUNTS}/models/read", "GET /openai/models")
MODELS_GET = Operation("Models_Get", f"{_ACCOUNTS}/models/read", "GET /openai/models/{model-id}")
DEPLOYMENTS_LIST = Operation("Deployments_List", f"{_ACCOUNTS}/deployments/read", "GET /openai/deployments")
DEPLOYMENTS_GET = Operation(
    "Deployments_Get", f"{_ACCOUNTS}/deployments/read", "GET /openai/deployments/{id}"
)
FILES = Operation("Files", f"{_ACCOUNTS}/files/read", "/openai/files")
FINE_TUNING = Operation("FineTuning", f"{_ACCOUNTS}/fine-tunes/read", "/openai/fine_tuning/jobs")
OTHER = Operation("Other", f"{_ACCOUNTS}/*", "/openai")

INFERENCE = {
    "chat/completions": CHAT,
    "completions": COMPLETIONS,
    "embeddings": EMBEDDINGS,
}

# Roles whose data actions cover all of the above.
ROLES = (
    "Cognitive Services User",
    "Cognitive Services OpenAI User",
    "Cognitive Services OpenAI Contributor",
)

_DATED = re.compile(r"(20\d\d)-(\d\d)-(\d\d)(-preview)?")
# The first version of the data plane with deployments in its paths.
_OLDEST = "2022-12-01"
_STREAM_OPTIONS_SINCE = "2024-09-01"


def is_api_version(text: str) -> bool:
    """Whether a dated surface takes it: any date since the service began, with or without `-preview`.

    Azure knows a list of dates, clients invent none; a list of ours would refuse tomorrow's.
    """
    match = _DATED.fullmatch(text)
    if match is None or text[:10] < _OLDEST:
        return False
    return 1 <= int(match[2]) <= 12 and 1 <= int(match[3]) <= 31


def knows_stream_options(api_version: str) -> bool:
    """Whether `stream_options` and `max_completion_tokens` exist in that version (v1 has them always)."""
    return not is_api_version(api_version) or api_version[:10] >= _STREAM_OPTIONS_SINCE
