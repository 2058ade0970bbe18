"""Tabular operators: each file is a family with its syntax, its grammar and its binding; `spec` says how one is
declared, `catalog` lists them.

rows            where, extend, serialize, the project family (columns by several: functions that give more than one)
shaping         project-by-names, assert-schema, consume
ordering        sort, take, top
ranking         top-nested, top-hitters, sample, sample-distinct
grouping        summarize, distinct, count
joining         join, lookup, union
searching       search, find
sources         print, range, datatable; external: externaldata
expanding       mv-expand, mv-apply
parting         partition
scanning        scan
series          make-series
text_parsing    parse, parse-where, parse-kv
graphs          make-graph, graph-to-table
graph_matching  graph-match, with the grammar of graph_patterns
calling         invoke
evaluating      evaluate, with plugins/
presenting      render, as, getschema
refused         what Kusto has and does not run here, by name
"""
