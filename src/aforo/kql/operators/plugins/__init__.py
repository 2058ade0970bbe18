"""What `evaluate` can run: `spec` says how a plugin is declared, `library` how those bind that are written as KQL.

bags (bags taken apart), pivoting (columns from values, rows from columns), looking_up (rows of a second table by
nearness), counting (distinct values), activity and cohorts (who was there when),
comparing (what tells two sets of rows apart).
"""
