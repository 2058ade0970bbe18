"""Functions that no SQL engine has, in Python over canonical values: `spec` says how one is declared, `catalog` lists
them, the other files hold one family each. They know no engine and no plan.
"""
