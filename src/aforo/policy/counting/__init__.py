"""Limits and metrics: admission (calls, bytes), token_admission (tokens); telling, subscribed, token_limits (what the
policies that limit declare in common); dimensions, token_metrics (the same of metrics).
"""
