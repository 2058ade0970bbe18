"""The local model account: an Azure-OpenAI-shaped server with sample models; no one should mistake it for more.

app (paths, admission) -> auth -> requests (bodies, fields) -> inference (pieces become answers) -> diagnostics.
operations, faults, answers, listings are its words; facts says what the account is; quota, call; engines/.
"""
