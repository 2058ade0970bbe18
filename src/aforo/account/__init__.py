"""The local model account: an Azure-OpenAI-shaped server with sample models; no one should mistake it for more."""
