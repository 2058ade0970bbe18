"""Wires of language models: what their bodies say. No socket, no policy, no table.

wire     what each of them can tell (the port)
sse      event streams: bytes in any pieces to events
usage    token counts of an answer; estimates where a provider gives none
openai   chat, completions, embeddings: messages, and the JSON answer that a stream amounts to
responses  the same for the Responses API
media    the same for images and transcriptions
azure    what Azure adds: content-filter results
catalog  the wires by name, and the paths that speak them
digest   one exchange in all that is recorded of it
meaning  a request as a semantic cache compares it
asked    what a request asks of a model at most, for limits that reserve it
spent    what a call spent in tokens, for who must know it at once
said     the text of prompts and answers, for who must look at the words
prices   what a call costs: a table of prices dated by model (prices.toml), and what a configuration adds to it
stateful what services keep for their callers: which operations make and name such things
replay   a whole answer as the event stream that was asked for
"""
