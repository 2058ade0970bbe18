"""Tabular operators: each file is a family with its syntax, its grammar and its binding; `catalog` lists them.

rows (where, extend, project...), ordering (sort, take, top), grouping (summarize, distinct, count), joining (join,
lookup, union), sources (print, range, datatable), expanding (mv-expand), series (make-series), calling (invoke), text_parsing (parse), presenting (render,
as, getschema), refused (what Kusto has and we have not yet).
"""
