"""The control plane: api, commit (the one door), store, secrets, access, audit, openapi, apply."""
