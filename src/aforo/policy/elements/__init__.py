"""One file per policy element: its declaration as data, then how it compiles."""
