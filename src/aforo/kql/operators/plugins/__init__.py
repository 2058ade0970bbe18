"""What `evaluate` can run: `spec` says how a plugin is declared, the other files hold one family each."""
