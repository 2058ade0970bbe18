"""The portal's static files, served by control."""
