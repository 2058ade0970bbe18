"""The log tables: schema (what a table is), standard (columns of all), catalog (all of them), custom (those that a
workspace declares); every other file is one table, or tables that are one family.

How values stand in the files (logs/delta.py writes them, logs/versions.py reads them):

bool       boolean
int        32-bit integer
long       64-bit integer
real       64-bit float
decimal    decimal(38, 12)
string     UTF-8; what is missing is "", never null (files from before a column was declared read as null; a
           promoted column, which no query sees, is null where the body has no such value)
datetime   timestamp in microseconds, UTC (Delta `timestamp`); statistics in the Delta log are cut to milliseconds
timespan   64-bit integer, ticks of 100 ns
guid       UTF-8 text, lower case with hyphens
dynamic    UTF-8 text: JSON without spaces, keys in the order in which they came; null where there is no value

The folders of a table are its UTC days: `_day=YYYY-MM-DD`, a partition column that no table declares and no
query sees. The minute-exact range of each file stands in the statistics of `TimeGenerated`.
"""
